"""What follows a training: probabilities that mean what they say, and what is said at which."""

from recipes.tasks import Task
from recipes.transfer.features import Boundary


def calibrate(cut: Boundary) -> float | list[float]:
    """Build the validation part's temperature into a trained model's last layer.

    Which class is likeliest stays as it is for every picture.

    Args:
        cut: the model, and where its frozen layers end.

    Returns:
        The temperature; one a label where a picture has several.
    """
    model, task = cut.transfer.model, cut.data.task
    outputs = cut.outputs("validation", model.output, "Calibrating")
    temperatures = task.temperatures(cut.data["validation"].labels, outputs)
    for variable in (model.layers[-1].kernel, model.layers[-1].bias):
        variable.assign(variable / temperatures.astype("float32"))
    return float(temperatures[0]) if len(temperatures) == 1 else temperatures.tolist()


def tune(cut: Boundary) -> Task:
    """The task with the thresholds that the validation part supports, after calibration."""
    outputs = cut.outputs("validation", cut.transfer.model.output, "Thresholds")
    return cut.data.task.tuned(cut.data["validation"].labels, outputs)
