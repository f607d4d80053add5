"""What is to be told of a picture, as a value: labels as numbers, what predictions are worth.

A task knows nothing of models: it works on targets and on a model's outputs, both NumPy arrays.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module

from recipes import settings
from recipes.lookup import find
from recipes.tasks.base import Task
from recipes.tasks.binary import Binary
from recipes.tasks.multiclass import Multiclass
from recipes.tasks.multilabel import Multilabel

__all__ = ["TASKS", "Binary", "Multiclass", "Multilabel", "Task", "from_dict", "get"]

# A task of a name is the class of that name in the module of that name.
TASKS: dict[str, type[Task]] = {
    name: getattr(import_module(f"{__name__}.{name}"), name.capitalize()) for name in settings.TASKS
}


def get(name: str, classes: Sequence[str], **options) -> Task:
    """A task by name.

    Args:
        name: "multiclass", "binary" or "multilabel".
        classes: the labels, in the order of the model's outputs.
        **options: of the task.

    Raises:
        ValueError: the name is unknown, or the number of classes does not suit it.

    Example:
        >>> get("multiclass", ["ash", "oak"]).encode(["oak", "ash"]).tolist()
        [1, 0]
    """
    return find(name, TASKS, what="task")(tuple(classes), **options)


def from_dict(values: Mapping) -> Task:
    """The task that `Task.to_dict` described.

    Raises:
        ValueError: a value is missing or not allowed: the text may come from anybody's file.
    """
    values = dict(values)
    try:
        name, classes = str(values.pop("name")), [str(label) for label in values.pop("classes")]
        thresholds = values.pop("thresholds", None)
        if thresholds is not None:
            values["thresholds"] = tuple(float(value) for value in thresholds)
            if not all(0 <= value <= 1 for value in values["thresholds"]):
                raise ValueError(f"the thresholds {thresholds} are not all from 0 to 1")
        return get(name, classes, **values)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"task: the description is damaged ({error}).") from None
