import keras
import numpy as np
import pytest

from recipes.tasks import TASKS
from recipes.transfer import model as transfer_model
from tests.recipes.transfer.tiny import build_tiny


def test_weights_are_checked_before_any_is_set():
    transfer = transfer_model.build("efficientnet_lite0", 3, weights=None, image_size=32)
    arrays = transfer.arrays()
    before = transfer.model.get_weights()
    last = sorted(arrays)[-1]
    for broken, text in [
        ({**arrays, "9999 more": np.zeros(1)}, "arrays came for a model of"),
        ({**arrays, last: np.zeros(7, "float32")}, "has the shape"),
        ({**arrays, last: arrays[last] * np.nan}, "not finite"),
    ]:
        with pytest.raises(ValueError, match=text):
            transfer.assign(broken)
    for one, other in zip(before, transfer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "no_such"},
        {"image_size": [64]},
        {"image_size": [100_000, 100_000]},
        {"num_classes": 10**9},
        {"num_classes": "many"},
        {"dropout": None},
    ],
)
def test_a_description_from_a_stranger_is_checked(change):
    transfer = {
        "backbone": "efficientnet_lite0",
        "image_size": [32, 32],
        "num_classes": 3,
        "dropout": 0.2,
    }
    with pytest.raises(ValueError, match=r"model:|backbone"):
        transfer_model.from_dict({**transfer, **change})


@pytest.mark.parametrize("task", TASKS)
def test_the_head_is_the_task_s_and_comes_back_from_its_description(task, tiny):
    units = 1 if task == "binary" else 3
    transfer = transfer_model.build(tiny, units, task)
    assert transfer.model.output_shape == (None, units)
    assert (
        keras.activations.serialize(transfer.model.layers[-1].activation) == TASKS[task].activation
    )
    described = transfer.to_dict()
    again = transfer_model.from_dict(described, tiny)
    assert again.to_dict() == described
    assert again.task == task
    again.assign(transfer.arrays())


def test_a_description_from_before_there_were_tasks_is_read(tiny):
    described = build_tiny().to_dict()
    del described["task"]
    assert transfer_model.from_dict(described, tiny).task == "multiclass"
