"""Plots that are the same whatever a run's labels mean."""

import numpy as np
import pytest

from recipes.page import Picture
from recipes.report.plots import plot_history, plot_pictures
from tests.recipes.report import runs


def test_the_history_shows_each_epoch_and_where_a_phase_begins():
    figure = plot_history(runs.history((2, 3, 1)))
    assert [axis.get_title() for axis in figure.axes] == ["loss", "accuracy", "learning rate"]
    training, validation, *starts = figure.axes[0].lines
    assert list(training.get_xdata()) == list(validation.get_xdata()) == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(training.get_ydata(), runs.history((2, 3, 1))["loss"])
    assert [line.get_xdata()[0] for line in starts] == [2.5, 5.5]


def test_the_history_of_another_score():
    table = runs.history().rename(columns={"accuracy": "auc", "val_accuracy": "val_auc"})
    assert plot_history(table, "auc").axes[1].get_title() == "auc"


@pytest.mark.parametrize("epochs", [(), (1,)])
def test_a_short_history_can_be_drawn(epochs):
    picture = Picture.of(plot_history(runs.history(epochs)), "history", "")
    assert picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (1, 1), (6, 1), (7, 2)])
def test_pictures_stand_in_rows_of_six(count, rows):
    pixels = np.zeros((count, 4, 6, 3), "uint8")
    figure = plot_pictures(pixels, ["$a_1$ \\"] * count, np.zeros((count, 2, 2)))
    assert len(figure.axes) == 6 * rows
    assert [len(axis.images) for axis in figure.axes] == [2] * count + [0] * (6 * rows - count)
    assert Picture.of(figure, "pictures", "").png  # titles are no formulas
