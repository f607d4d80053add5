"""Low-rank matrices are all that moves of a backbone, and end up in plain kernels."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import recipes
from recipes import dtypes, strategies
from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer import fine_tune as training, lora
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.state import to_numpy
from tests.marking import slow_but
from tests.recipes.images import pictures
from tests.recipes.transfer.interrupting import assert_same, resumed
from tests.recipes.transfer.tiny import DATA, build_tiny, training_data, values_of
from tests.recipes.transfer.vit import BLOCKS, build_vit

RANK = 2
PHASE = Phase("low rank", 0.0, 3, 3e-3, lora_rank=RANK)
STRATEGY = FineTuneStrategy("mine", "pretrained", (strategies.HEAD, PHASE), "")
DENSE_A_BLOCK = 4 + 2  # query, key, value, output; and the perceptron's two


def enabled(phase=PHASE):
    transfer = build_vit(dropout=0.0)
    transfer.set_trainable(phase)
    return transfer, lora.enable(transfer, phase, seed=1)


def plain(model):
    return not any(
        getattr(layer, "lora_enabled", False) or "lora" in variable.path
        for layer in model._flatten_layers()
        for variable in layer.variables
    )


@pytest.mark.parametrize("share", [0.0, 0.4, 0.6])
def test_matrices_are_keras_own_in_every_block_behind_the_boundary(share):
    phase = replace(PHASE, trainable_from=share)
    transfer, adapters = enabled(phase)
    first = phase.first_trainable(transfer.num_stages)
    blocks = BLOCKS - max(first - 1, 0)
    assert len(adapters.layers) == blocks * DENSE_A_BLOCK
    assert len(adapters.variables) == 2 * len(adapters.layers)
    trained = {variable.path for variable in transfer.model.trainable_variables}
    head = {"predictions/kernel", "predictions/bias"}
    assert trained == head | {variable.path for variable in adapters.variables}
    assert set(transfer.rate_factors(phase)) == trained
    for layer in adapters.layers:
        assert layer.lora_rank == RANK
        sizes = tuple(layer.lora_kernel_a.shape), tuple(layer.lora_kernel_b.shape)
        kernel = tuple(layer._kernel.shape)
        assert sizes == ((*kernel[:-1], RANK), (RANK, kernel[-1]))


def test_norms_are_trained_where_the_phase_says_so():
    transfer, _ = enabled(replace(PHASE, update_batch_norm=True))
    trained = {variable.path for variable in transfer.model.trainable_variables}
    norms = {path for path in trained if path.endswith(("gamma", "beta"))}
    assert len(norms) == BLOCKS * 2 * 2
    others = trained - norms - {"predictions/kernel", "predictions/bias"}
    assert all("lora" in path for path in others)


def test_a_network_without_matrices_answers_as_before_and_the_merged_one_as_with_them():
    x = DATA["train"].pixels[:4]
    before = build_vit(dropout=0.0).model(x, training=False)
    transfer, adapters = enabled()
    tell = lambda: keras.ops.convert_to_numpy(transfer.model(x, training=False))  # noqa: E731
    np.testing.assert_array_equal(tell(), keras.ops.convert_to_numpy(before))
    transfer.model.predict_on_batch(x)
    rng = np.random.default_rng(0)
    for variable in adapters.variables:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    expected = tell()
    assert np.abs(expected - keras.ops.convert_to_numpy(before)).max() > 0.01
    transfer.model.predict_function = None  # as `compile` does
    np.testing.assert_allclose(transfer.model.predict_on_batch(x), expected, atol=1e-6)
    adapters.merge(transfer.model)
    np.testing.assert_allclose(tell(), expected, atol=1e-5)
    np.testing.assert_allclose(transfer.model.predict_on_batch(x), expected, atol=1e-5)
    assert plain(transfer.model)
    names = [variable.path for variable in transfer.model.variables]
    assert names == [variable.path for variable in build_vit(dropout=0.0).model.variables]


def test_the_same_seed_gives_the_same_matrices():
    values = []
    for seed in (0, 0, 1):
        transfer = build_vit()
        transfer.set_trainable(PHASE)
        values.append(to_numpy(lora.enable(transfer, PHASE, seed).variables[0]))
    assert (values[0] == values[1]).all()
    assert (values[0] != values[2]).any()


@pytest.mark.parametrize("blended", [False, True])
def test_kernels_move_by_the_merge_alone(blended, tmp_path, monkeypatch):
    found, merge = {}, lora.Adapters.merge

    def watched(self, model):
        """What the matrices are, and the kernels before and after."""
        before = {layer.path: to_numpy(layer._kernel) for layer in self.layers}
        pairs = {
            layer.path: (to_numpy(layer.lora_kernel_a), to_numpy(layer.lora_kernel_b))
            for layer in self.layers
        }
        merge(self, model)
        for layer in self.layers:
            found[layer.path] = (before[layer.path], *pairs[layer.path], to_numpy(layer._kernel))

    monkeypatch.setattr(lora.Adapters, "merge", watched)
    phase = replace(PHASE, blended=blended)
    transfer, start = build_vit(), values_of(build_vit().model)
    data = training_data(DATA, tmp_path, seed=3)
    strategy = replace(STRATEGY, phases=(strategies.HEAD, phase))
    known = [{"penalty": 0.1}, {"blend": 0.5}] if blended else None
    history, audits = fine_tune(transfer, strategy, data, batch_size=16, known=known)
    assert np.isfinite(history["loss"].iloc[1:]).all()
    assert plain(transfer.model)
    assert len(found) == BLOCKS * DENSE_A_BLOCK
    end, moved = values_of(transfer.model), set()
    for path, (before, first, second, merged) in found.items():
        kernel = f"{path}/kernel"
        np.testing.assert_array_equal(before, start[kernel])
        np.testing.assert_allclose(merged, before + np.matmul(first, second), atol=1e-6)
        ways = [(end[kernel] - before).ravel(), (merged - before).ravel()]
        share = audits[1].get("blend", 1.0)
        np.testing.assert_allclose(ways[0], share * ways[1], atol=1e-6)
        moved.add(kernel)
    assert {path for path in start if (start[path] != end[path]).any()} <= moved | {
        "predictions/kernel",
        "predictions/bias",
    }
    assert audits[1]["trainable"] == len(moved) + 2
    if audits[1].get("epoch") != 0:
        assert audits[1]["moved"] == len(moved) + 2


def test_a_kernel_that_moves_before_the_merge_is_refused(tmp_path, monkeypatch):
    merge = training.audit

    def spoilt(phase, model, *others):
        if phase.lora_rank:
            kernel = model.get_layer("attention0")._query_dense._kernel
            kernel.assign(kernel + 1)
        return merge(phase, model, *others)

    monkeypatch.setattr(training, "audit", spoilt)
    with pytest.raises(RuntimeError, match=r"1 frozen variables moved: .*attention0/query/kernel"):
        fine_tune(build_vit(), STRATEGY, training_data(DATA, tmp_path))


TWICE = FineTuneStrategy(
    "twice",
    "pretrained",
    (
        replace(PHASE, epochs=2),
        replace(PHASE, name="blended", trainable_from=0.5, lora_rank=1, epochs=2, blended=True),
    ),
    "of all blocks, then of the later one",
)


def run_twice(folder, work=None):
    transfer, data = build_vit(), training_data(DATA, folder, seed=3)
    return transfer, *fine_tune(transfer, TWICE, data, batch_size=32, work=work, usual=1.0)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run_twice(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("epochs", slow_but([1, 3], range(1, 5)))
def test_an_interrupted_phase_goes_on_exactly(epochs, undisturbed, tmp_path, monkeypatch):
    assert_same(resumed(run_twice, epochs, tmp_path, monkeypatch), undisturbed)


def test_a_network_without_dense_layers_is_refused_before_a_picture_is_decoded(tmp_path):
    text = r"lora_rank: the phase 'low rank' .* 'tiny' has none there"
    with pytest.raises(ValueError, match=text):
        lora.check(build_tiny(), strategies.get("lora"))
    lora.check(build_tiny(), None)
    folder = pictures.make_classes(tmp_path / "photos", 6, ("ash", "oak"))
    with pytest.raises(ValueError, match=text):
        recipes.fit_folder(
            folder,
            output=tmp_path / "run",
            strategy="lora",
            backbone=build_tiny().backbone,
            verbose=False,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_run_is_a_plain_model(precision, tmp_path):
    folder = pictures.make_classes(tmp_path / "photos", 16, ("ash", "oak", "yew"))
    options = {"backbone": build_vit().backbone, "refit": False, "verbose": False}
    run = recipes.fit_folder(
        folder,
        output=tmp_path / "run",
        strategy="lora",
        epochs=2,
        precision=precision,
        **options,
    )
    assert run.history["phase"].tolist() == ["classifier", "low rank", "low rank"]
    assert run.info["strategy"]["phases"][1]["lora_rank"] == 8
    assert not any("lora" in name for name in run.weights())
    model = recipes.load_model(run.folder / "model.keras")
    assert plain(model)
    assert dtypes.policy_of(model) == "float32"
    x = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")
    loaded = recipes.load(run, backbone=options["backbone"]).model
    np.testing.assert_allclose(model.predict(x, verbose=0), loaded.predict(x, verbose=0), atol=1e-6)
