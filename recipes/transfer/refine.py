"""What follows a training: probabilities that mean what they say, and from which a label counts."""

from recipes.tasks import Task
from recipes.transfer.features import Boundary


def calibrate(cut: Boundary) -> tuple[float | list[float], Task]:
    """Build the validation part's temperature into a trained model's last layer.

    Which class is likeliest stays as it is for every picture.

    Args:
        cut: the model, and where its frozen layers end.

    Returns:
        The temperature, one a label where a picture has several; and the task with the thresholds
        that the validation part supports, where it has any.
    """
    model, task = cut.transfer.model, cut.data.task
    outputs = cut.outputs("validation", model.output, "Calibrating")
    targets = cut.data["validation"].labels
    temperatures = task.temperatures(targets, outputs)
    for variable in (model.layers[-1].kernel, model.layers[-1].bias):
        variable.assign(variable / temperatures.astype("float32"))
    tuned = task.tuned(targets, task.tempered(outputs, temperatures))
    return (float(temperatures[0]) if len(temperatures) == 1 else temperatures.tolist()), tuned
