"""What a search may vary: each recipe's own space, changed by name, and the HyperModel."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial

import keras
import keras_tuner

from recipes import callbacks
from recipes.heads import compile_classifier
from recipes.ingredients import activations
from recipes.lookup import find, unknown

# A list is a choice; (low, high) and (low, high, "log") are ranges, whole where both ends are;
# anything else is fixed.
INGREDIENTS = {
    "activation": [name for name in activations.names() if name != "linear"],
    "kernel_initializer": ["auto", "glorot_uniform", "he_normal", "lecun_normal", "orthogonal"],
    "dropout": (0.0, 0.5),
}
TRAINING = {
    "optimizer": ["adam", "sgd", "rmsprop"],
    "learning_rate": (1e-4, 1e-1, "log"),
    "momentum": (0.0, 0.99),
    "decay": ["none", "cosine_decay", "exponential_decay", "polynomial_decay"],
    "decay_rate": (0.01, 0.9, "log"),
    "power": (0.5, 3.0),
    "weight_decay": (1e-6, 1e-2, "log"),
    "batch_size": [16, 32, 64, 128],
}
NORMS = ["none", "batch", "layer", "group", "rms"]
SPACES = {
    "mlp": {"depth": (1, 4), "width": [16, 32, 64, 128, 256], "normalization": NORMS},
    "cnn": {
        "stages": (1, 3),
        "depth": (1, 3),
        "width": [8, 16, 32, 64],
        "kernel_size": [3, 5],
        "pooling": ["max", "average"],
        "normalization": [*NORMS, "instance"],
    },
    "resnet": {
        "stages": (1, 3),
        "depth": (1, 3),
        "width": [8, 16, 32, 64],
        "normalization": ["batch", "group", "layer"],
        "norm_position": ["before", "after", "preactivation"],
    },
    "mobilenet": {"width": [0.25, 0.5, 1.0], "normalization": ["batch", "group"]},
}
# A parameter is sampled only where another one has one of these values.
CONDITIONS: dict[str, tuple[str, Callable]] = {
    "momentum": ("optimizer", lambda value: value in ("sgd", "rmsprop")),
    "decay_rate": ("decay", lambda value: value == "exponential_decay"),
    "power": ("decay", lambda value: value == "polynomial_decay"),
    "norm_position": ("normalization", lambda value: value not in ("none", "weight")),
}


def default_space(recipe: Callable) -> dict:
    """The space that a recipe ships.

    Args:
        recipe: `recipes.mlp`, `cnn`, `resnet` or `mobilenet`, with or without arguments bound.

    Returns:
        Parameter to its values: a list, or (low, high) with "log" or not.

    Example:
        >>> from recipes.classifiers import mlp
        >>> default_space(mlp)["depth"]
        (1, 4)
    """
    own = SPACES.get(_base(recipe).__name__, {})
    if own:
        own = {**own, "norm_position": own.get("norm_position", ["before", "after"])}
        own = {**own, **INGREDIENTS}
    return {**own, **TRAINING}


def _base(recipe: Callable) -> Callable:
    return _base(recipe.func) if isinstance(recipe, partial) else recipe


def resolve(recipe: Callable, space: Mapping | None, fixed: Mapping) -> dict:
    """The default space with a user's changes, without what is fixed.

    Raises:
        ValueError: an unknown name, an empty choice or range, or a name both searched and fixed.

    Example:
        >>> from recipes.classifiers import mlp
        >>> resolve(mlp, {"activation": ["relu"]}, {"dropout": 0.1})["activation"]
        ['relu']
    """
    defaults = default_space(recipe)
    known = {**defaults, **dict.fromkeys(inspect.signature(_base(recipe)).parameters)}
    both = sorted(set(space or {}) & set(fixed))
    if both:
        raise ValueError(f"space: {', '.join(both)} cannot be searched and fixed at once.")
    for name in (*(space or {}), *fixed):
        if name not in known:
            raise unknown("hyperparameter", name, known)
    merged = {name: values for name, values in defaults.items() if name not in fixed}
    merged |= {name: checked(name, values) for name, values in (space or {}).items()}
    if not merged:
        raise ValueError("space: nothing is left to search.")
    return merged


def checked(name: str, values):
    """The values of a parameter, refused where they are none.

    Raises:
        ValueError: an empty choice, or a range that is none.
    """
    if isinstance(values, list) and not values:
        raise ValueError(f"space: {name} has no values.")
    if isinstance(values, tuple):
        numbers = values[:2]
        fits = len(values) in (2, 3) and all(isinstance(v, int | float) for v in numbers)
        if not fits or not numbers[0] < numbers[1] or values[2:] not in ((), ("log",)):
            raise ValueError(
                f'space: {name} = {values!r} is not (low, high) or (low, high, "log") with low '
                "below high."
            )
        if values[2:] and not numbers[0] > 0:
            raise ValueError(f"space: {name} = {values!r}: a logarithmic range begins above 0.")
    return values


def draw(hp, space: Mapping, conditions: Mapping | None = None) -> dict:
    """Ask keras-tuner for a value of each parameter that applies.

    Args:
        hp: `keras_tuner.HyperParameters`.
        space: what `resolve` gave.
        conditions: parameter to (the one that it depends on, whether a value of that one allows
            it); those of the recipes by default.

    Returns:
        Name to value; parameters whose condition does not hold are left out.
    """
    values = {}
    conditions = CONDITIONS if conditions is None else conditions
    parents = {parent for parent, _ in conditions.values()}
    for name in sorted(space, key=lambda name: name not in parents):
        parent, holds = conditions.get(name, (None, None))
        if parent not in space:
            values[name] = _ask(hp, name, space[name])
        else:
            options = space[parent] if isinstance(space[parent], list) else [space[parent]]
            allowed = [option for option in options if holds(option)]
            if not allowed:
                continue
            with hp.conditional_scope(parent, allowed):
                value = _ask(hp, name, space[name])
            if values[parent] in allowed:
                values[name] = value
    return values


def _ask(hp, name: str, values):
    if isinstance(values, list):
        return hp.Choice(name, values)
    if not isinstance(values, tuple):
        return hp.Fixed(name, values)
    low, high, *log = values
    whole = isinstance(low, int) and isinstance(high, int)
    make = hp.Int if whole else hp.Float
    return make(name, low, high, sampling="log" if log else "linear")


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
        >>> from recipes.classifiers import mlp
        >>> model = HyperModel(mlp, {"activation": ["tanh"]}, input_shape=4,
        ...                    num_classes=3)
        >>> model.build(keras_tuner.HyperParameters()).output_shape
        (None, 3)
    """

    def __init__(self, recipe: Callable, space: Mapping | None = None, **fixed):
        super().__init__()
        self.recipe = recipe
        self.fixed = fixed
        self.own = list(inspect.signature(_base(recipe)).parameters)[:1] == ["hp"]
        if self.own and space:
            raise ValueError("space: a function build(hp) has its own.")
        self.space = {} if self.own else resolve(recipe, space, fixed)

    def build(self, hp) -> keras.Model:
        """A compiled model for the values of `hp`."""
        if self.own:
            return self.recipe(hp, **self.fixed)
        values = {**self.fixed, **draw(hp, self.space)}
        given = inspect.signature(_base(self.recipe)).parameters
        structure = _structure(_base(self.recipe).__name__, values)
        model = self.recipe(**{k: v for k, v in structure.items() if k in given})
        return compile_classifier(
            model, optimizer=_optimizer(values), one_hot=values.get("one_hot", False)
        )

    def fit(self, hp, model, *args, **options):
        """Train as keras-tuner asks, with the batch size and the decay scheme of `hp`."""
        values = {**self.fixed, **hp.values}
        if not self.own:
            options = {**options, "batch_size": values.get("batch_size", 32)}
            steps = -(-len(args[0]) // options["batch_size"]) * options.get("epochs", 1)
            options["callbacks"] = [*options.get("callbacks", []), *decay_callbacks(values, steps)]
        ending = keras.callbacks.TerminateOnNaN()
        options["callbacks"] = [*options.get("callbacks", []), ending]
        return model.fit(*args, **options)


def _structure(recipe: str, values: Mapping) -> dict:
    """Depth and width as the recipe's own arguments."""
    values = dict(values)
    if values.get("normalization") in ("none", "weight"):
        values.pop("norm_position", None)
    width, depth, stages = (values.get(name) for name in ("width", "depth", "stages"))
    if recipe == "mlp" and width:
        values["units"] = (width,) * (depth or 1)
    if recipe == "cnn" and width:
        values["widths"] = tuple(width * 2**stage for stage in range(stages or 1))
    if recipe == "resnet" and stages:
        values["depth"] = (depth or 1,) * stages
        values.pop("stages")
    if recipe == "mobilenet":
        values.pop("stages", None)
    return values


def _optimizer(values: Mapping) -> keras.optimizers.Optimizer:
    makers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    name = values.get("optimizer", "adam")
    options = {"learning_rate": values.get("learning_rate", 1e-3)}
    if values.get("weight_decay"):
        options["weight_decay"] = values["weight_decay"]
    if name in ("sgd", "rmsprop") and "momentum" in values:
        options["momentum"] = float(values["momentum"])
    optimizer = find(name, makers, what="optimizer")(**options)
    if "weight_decay" in options:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


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
