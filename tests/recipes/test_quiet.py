"""Nothing but our own words: no notes of a backend, no tracing, no escape codes in pipes."""

import os
import subprocess
import sys

import pytest

from tests.marking import slow_but
from tests.recipes.images import pictures

USES = {
    "a recipe": "recipes.cnn((8, 8, 3), 3)",
    "a scheme": "import callbacks; callbacks.StepLR(3)",
    "a module": "import recipes.workflow",
    "Keras after it": "import keras; keras.ops.ones(3) + 1",
    "an ingredient": "recipes.activations.get('relu')",
    "a training": """
run = recipes.fit(r"{photos}", output=r"{place}/run", strategy="head_only", **OPTIONS)
recipes.predict(run.folder, r"{photos}", views=2, verbose=False)
""",
    "everything": """
run = recipes.fit(r"{photos}", output=r"{place}/run", **OPTIONS)
recipes.fit(r"{photos}", output=r"{place}/whole", strategy="large_similar", **OPTIONS)
recipes.rerun(run.folder, output=r"{place}/again", verbose=False)
recipes.export_run(run.folder)
recipes.search("cnn", r"{photos}", directory=r"{place}/search", max_trials=3, max_epochs=1,
               image_size=32, verbose=False)
""",
}
QUICK = ("a recipe", "Keras after it", "a training")  # the others come to Keras on the same ways
BEGIN = 'import recipes\nOPTIONS = {"image_size": 32, "epochs": 1, "verbose": False}\n'


@pytest.mark.parametrize("use", slow_but(QUICK, USES))
def test_the_python_api_prints_nothing_by_itself(use, tmp_path):
    photos = pictures.make_classes(tmp_path / "photos", 10)
    code = USES[use].replace("{photos}", str(photos)).replace("{place}", str(tmp_path))
    plain = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", BEGIN + code]
    done = subprocess.run(command, capture_output=True, text=True, env=plain)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_the_command_line_writes_no_escape_codes_into_pipes(tmp_path):
    photos = pictures.make_classes(tmp_path / "photos", 10)
    words = ["fit", str(photos), "--output", str(tmp_path / "run"), "--image-size", "32"]
    command = [sys.executable, "-m", "recipes.cli", *words, "--epochs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    both = done.stdout + done.stderr
    assert "classes     2: cat 10, dog 10" in both
    for foreign in ("\x1b", "\r", "WARNING", "tensorflow", "oneDNN", "retracing"):
        assert foreign not in both


def test_what_keras_says_when_it_cannot_be_imported_is_shown(tmp_path):
    (tmp_path / "keras.py").write_text(
        "import os\nos.write(2, b'a note')\nraise ImportError('broken')"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport recipes\nrecipes.cnn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "a note" in done.stderr
    assert "ImportError: broken" in done.stderr
