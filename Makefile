# Each target sets up .venv by itself; the stamp is renewed when the requirements change.
PYTHON ?= python3
BIN = .venv/bin
BACKEND_TESTS = tests/callbacks/test_recorded.py tests/callbacks/test_leading.py \
	tests/recipes/classifiers tests/recipes/test_blocks.py tests/recipes/test_heads.py \
	tests/recipes/test_compiling.py tests/recipes/test_losses.py \
	tests/recipes/transfer tests/recipes/choosing tests/recipes/tasks \
	tests/recipes/test_tasks_end_to_end.py tests/recipes/backbones/test_own.py \
	tests/recipes/backbones/test_described.py tests/recipes/backbones/test_described_hostile.py \
	tests/recipes/backbones/test_hub.py tests/recipes/backbones/test_hub_presets.py

MINUTES ?= inf

.PHONY: demo test test-slow grid lint backends notebooks docs gallery bench clean browser

.venv/.installed: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet --editable ".[test,lint]"
	touch $@

demo: .venv/.installed  ## train a classifier on pictures that come with a package
	$(BIN)/recipes demo --output runs/demo --overwrite

test: .venv/.installed  ## the default test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25

test-slow: .venv/.installed  ## the checks that take minutes
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder

grid: .venv/.installed  ## every recipe with every kind of ingredient, in a random order, for MINUTES, into CSV
	$(BIN)/python -m tests.recipes.classifiers.grid_run --minutes $(MINUTES) \
		$(if $(CSV),--csv $(CSV) --seed 2026)

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyrefly check

backends: .venv/.installed  ## what is not tied to TensorFlow, on each backend
	for backend in tensorflow jax torch; do \
		KERAS_BACKEND=$$backend $(BIN)/python -m pytest -n 2 --dist loadfile \
			-m "not slow and not tensorflow_only" $(BACKEND_TESTS) || exit 1; \
	done

notebooks: .venv/.installed  ## run the notebooks and keep their outputs
	$(BIN)/python -m pip install --quiet --editable ".[notebooks]"
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb

browser:  ## ONNX Runtime Web, for the tests of the page that `recipes export --format web` writes
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix build \
		onnxruntime-web@$$(sed -n 's/^VERSION = "\(.*\)"/\1/p' recipes/export/web.py)

docs: .venv/.installed  ## the API reference, from the docstrings, into docs/api
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	$(BIN)/python docs/build.py

gallery: .venv/.installed  ## the curve of every scheme, into docs/gallery.md
	$(BIN)/python docs/gallery.py

bench: .venv/.installed  ## what a learning-rate callback costs
	$(BIN)/python benchmarks/callback_overhead.py

clean:
	rm -rf .venv build dist *.egg-info
