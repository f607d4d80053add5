import pytest
from sklearn.model_selection import train_test_split

import recipes

BAD = [
    (lambda: recipes.cnn((8, 8, 3), 3, widths=(8, 8, 8, 8)), "input_shape", "too small"),
    (lambda: recipes.cnn((8, 8), 3), "input_shape", "height, width, channels"),
    (lambda: recipes.cnn((32, 32, 3), 3, pooling="avg"), "pooling", "average"),
    (lambda: recipes.cnn((32, 32, 3), 3, depth=0), "depth", "0"),
    (lambda: recipes.cnn((32, 32, 3), 3, kernel_size=0), "kernel_size", "0"),
    (lambda: recipes.cnn((32, 32, 3), 3, widths=(0,)), "widths", "0"),
    (lambda: recipes.cnn(32, 3), "input_shape", "height, width, channels"),
]


@pytest.mark.parametrize(("call", "culprit", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(call, culprit, text):
    with pytest.raises(ValueError, match=culprit) as caught:
        call()
    assert text in str(caught.value)


def test_a_cnn_learns_pictures_of_digits():
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    x = pictures.reshape(-1, 8, 8, 1) * 255 / 16
    x, x_test, y, y_test = train_test_split(x, labels, test_size=0.3, random_state=0)
    model = recipes.cnn((8, 8, 1), 10, widths=(16, 32), depth=1, activation="mish", seed=0)
    recipes.compile_classifier(model, learning_rate=3e-3)
    model.fit(x, y, epochs=8, batch_size=32, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.95
