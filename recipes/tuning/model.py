"""A recipe, its space and its training as a model of keras-tuner's."""

import inspect
from collections.abc import Callable, Mapping

import keras
import keras_tuner

from recipes import callbacks
from recipes.classifiers import registry
from recipes.compiling import compile_classifier, spare
from recipes.lookup import find
from recipes.tuning.space import decoded, default_space, draw, resolve

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


class HyperModel(keras_tuner.HyperModel):
    """A recipe and its space as a plain `keras_tuner.HyperModel`, for any Tuner.

    Args:
        recipe: a recipe of this library, or a function `build(hp)` that returns a compiled model.
        space: changes of the recipe's default space, by name: a list is a choice, `(low, high)`
            or `(low, high, "log")` a range, anything else is fixed.
        **fixed: arguments of the recipe and of the training that are not searched;
            `input_shape` and `num_classes` among them.

    Raises:
        ValueError: an unknown name, an empty or contradictory space.

    Example:
        >>> from recipes import mlp
        >>> model = HyperModel(mlp, {"activation": ["tanh"]}, input_shape=4,
        ...                    num_classes=3)
        >>> model.build(keras_tuner.HyperParameters()).output_shape
        (None, 3)
    """

    def __init__(self, recipe: Callable, space: Mapping | None = None, **fixed):
        super().__init__()
        self.recipe = recipe
        self.fixed = fixed
        arguments = _arguments(recipe)
        self.own = arguments[:1] == ["hp"]
        if self.own and space:
            raise ValueError("space: a function build(hp) has its own.")
        self.space = {} if self.own else resolve(default_space(recipe), space, fixed, arguments)

    def build(self, hp) -> keras.Model:
        """A compiled model for the values of `hp`."""
        if self.own:
            return self.recipe(hp, **self.fixed)
        values = {**self.fixed, **draw(hp, self.space)}
        if values.get("normalization") in ("none", "weight"):
            values.pop("norm_position", None)
        arguments = {**values, **registry.of(self.recipe).sizes(values)}
        known = _arguments(self.recipe)
        model = self.recipe(**{k: v for k, v in arguments.items() if k in known})
        optimizer = _optimizer(values)
        spare(optimizer, model)
        return compile_classifier(model, optimizer=optimizer, one_hot=values.get("one_hot", False))

    def fit(self, hp, model, *args, **options):
        """Train as keras-tuner asks, with the batch size and the decay scheme of `hp`."""
        values = {**self.fixed, **decoded(self.space, hp.values)}
        if not self.own:
            options = {**options, "batch_size": values.get("batch_size", 32)}
            steps = -(-len(args[0]) // options["batch_size"]) * options.get("epochs", 1)
            options["callbacks"] = [*options.get("callbacks", []), *decay_callbacks(values, steps)]
        ending = keras.callbacks.TerminateOnNaN()
        options["callbacks"] = [*options.get("callbacks", []), ending]
        return model.fit(*args, **options)


def _arguments(recipe: Callable) -> list[str]:
    """The names of a recipe's arguments, those that are bound among them."""
    return list(inspect.signature(registry.of(recipe).function).parameters)


def _optimizer(values: Mapping) -> keras.optimizers.Optimizer:
    name = values.get("optimizer", "adam")
    options = {"learning_rate": values.get("learning_rate", 1e-3)}
    if values.get("weight_decay"):
        options["weight_decay"] = values["weight_decay"]
    if name in ("sgd", "rmsprop") and "momentum" in values:
        options["momentum"] = float(values["momentum"])
    return find(name, OPTIMIZERS, what="optimizer")(**options)


def decay_callbacks(values: Mapping, steps: int) -> list:
    """The decay scheme of a setting, over so many steps, as a list of none or one callback.

    Example:
        >>> decay_callbacks({"decay": "cosine_decay", "learning_rate": 0.1}, 100)[0].value(100)
        0.0
    """
    name = values.get("decay", "none")
    if name == "none":
        return []
    options = {k: values[k] for k in ("decay_rate", "power") if values.get(k) is not None}
    allowed = {"exponential_decay": ("decay_rate",), "polynomial_decay": ("power",)}.get(name, ())
    options = {k: v for k, v in options.items() if k in allowed}
    rate = values.get("learning_rate", 1e-3)
    if name == "polynomial_decay":
        options["end_learning_rate"] = 0.0
    return [callbacks.get(name, learning_rate=rate, decay_steps=max(steps, 1), **options)]
