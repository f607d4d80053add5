import keras
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from recipes.transfer import explain, novelty, refine
from recipes.transfer.features import ArrayCache, Boundary, Part
from tests.recipes.transfer.tiny import SIDE, build_tiny

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, SIDE, SIDE, 3), "uint8")
LABELS = RNG.integers(0, 3, 24)


def drawn(temperature, n=20_000, classes=4):
    """Labels drawn from a softmax, and the probabilities that a model with other logits gives."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (n, classes))
    truth = softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return labels, softmax(logits * temperature, axis=1), truth


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 6.0])
def test_the_temperature_of_drawn_labels_is_found(temperature):
    labels, probabilities, _ = drawn(temperature)
    assert refine.temperature_of(labels, probabilities) == pytest.approx(temperature, rel=0.03)


def test_a_few_pictures_that_are_all_right_do_not_make_it_certain():
    probabilities = np.full((3, 3), 0.1) + 0.7 * np.eye(3)
    assert refine.temperature_of(np.arange(3), probabilities) > 0.4


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_calibration_error_is_that_of_scikit_learns_curve(temperature):
    labels, probabilities, _ = drawn(temperature, classes=2)
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    share, mean = calibration_curve(right, sure, n_bins=15)
    counts = np.histogram(sure, np.linspace(0, 1, 16))[0]
    expected = (np.abs(share - mean) * counts[counts > 0]).sum() / len(sure)
    assert refine.calibration_error(labels, probabilities) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("first", [0, 2, 3])
def test_calibrating_changes_no_prediction_and_divides_the_logits(first, tmp_path):
    transfer = build_tiny(dropout=0.0)
    before = transfer.model.predict(PIXELS, verbose=0)
    part = Part(PIXELS, LABELS, "key")
    cut = Boundary(transfer, first, {"validation": part}, ArrayCache(tmp_path), verbose=False)
    temperature = refine.calibrate(cut)
    after = transfer.model.predict(PIXELS, verbose=0)
    assert temperature == pytest.approx(refine.temperature_of(LABELS, before))
    expected = softmax(np.log(np.maximum(before, 1e-30)) / temperature, axis=1)
    np.testing.assert_allclose(after, expected, atol=1e-5)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()


def test_the_calibrated_loss_is_the_smallest_over_temperatures():
    labels, probabilities, truth = drawn(3.0)
    expected = -np.log(truth[np.arange(len(labels)), labels]).mean()
    assert refine.calibrated_loss(labels, probabilities) == pytest.approx(expected, rel=1e-3)
    assert np.isnan(refine.calibrated_loss(labels, probabilities * np.nan))


@pytest.mark.tensorflow_only
def test_grad_cam_is_the_gradients():
    """The maps against Grad-CAM by TensorFlow's gradients, on the logit of the class."""
    import tensorflow as tf

    transfer = build_tiny()
    classes = LABELS[:5]
    maps = explain.class_activation_maps(transfer, PIXELS[:5], classes)
    tail = keras.Model(transfer.model.get_layer("pool").input, transfer.model.output)
    trunk = keras.Model(transfer.model.input, transfer.model.get_layer("pool").input)
    features = tf.convert_to_tensor(trunk(PIXELS[:5].astype("float32")))
    dense = tail.layers[-1]
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = tf.reduce_mean(features, (1, 2)) @ dense.kernel + dense.bias
        chosen = tf.reduce_sum(tf.gather(logits, classes, axis=1, batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(chosen, features), (1, 2))
    expected = tf.nn.relu(tf.einsum("nhwc,nc->nhw", features, weights)).numpy()
    expected /= np.maximum(expected.max(axis=(1, 2), keepdims=True), 1e-12)
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    assert maps.max() <= 1


@pytest.mark.parametrize("first", [0, 3])
def test_no_more_features_are_kept_than_are_needed(first, tmp_path, monkeypatch):
    monkeypatch.setattr(novelty, "MOST_ROWS", 10)
    part = Part(PIXELS, LABELS, "key")
    data = {"train": part, "validation": part}
    cut = Boundary(build_tiny(), first, data, ArrayCache(tmp_path), verbose=False)
    novelty.keep(tmp_path, cut)
    known = novelty.read(tmp_path)
    assert known["features"].shape == (10, 16)
    assert known["distances"].shape == (10,)


def test_novelty_is_even_for_like_pictures_and_one_for_others():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 64))

    def like(n):
        return centres[rng.integers(5, size=n)] + 0.3 * rng.normal(size=(n, 64))

    known = novelty.fit(like(300), like(200))
    assert 0.4 < novelty.score(like(1_300), known).mean() < 0.6
    others = novelty.score(rng.normal(size=(100, 64)), known)
    assert (others >= novelty.UNLIKE_FROM).mean() > 0.95


def test_novelty_is_the_distance_to_the_fifth_neighbour_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    train, validation = rng.random((50, 8)), rng.random((20, 8))
    known = novelty.fit(train, validation)
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(train)
    expected = np.sort(search.kneighbors(validation)[0][:, -1])
    np.testing.assert_allclose(known["distances"], expected, atol=1e-3)


def test_few_training_pictures_have_fewer_neighbours():
    known = novelty.fit(np.eye(3), np.eye(3))
    assert novelty.score(np.eye(3), known).tolist() == [0.0] * 3
