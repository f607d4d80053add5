"""Saved models that hold layers, losses or schedules of this library.

They load with `keras.models.load_model` after `import recipes`, in any order of imports.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from recipes.callbacks import registration

if TYPE_CHECKING:
    import keras

PACKAGE = "recipes"
SAVED_IN = {
    "recipes.classifiers.residual": ("LayerScale",),
    "recipes.classifiers.tokens": ("ClassToken", "PositionEmbedding", "SelfAttention"),
    "recipes.images.varying": ("Vary",),
    "recipes.ingredients.activation_layers": (
        "ChannelPReLU",
        "HardMish",
        "KerasFunction",
        "QuickGELU",
        "RReLU",
        "ScaledTanh",
        "TLU",
    ),
    "recipes.ingredients.drop_layers": ("DropBlock", "DropPath"),
    "recipes.ingredients.initializer_classes": ("DeltaOrthogonal", "Dirac", "Sparse"),
    "recipes.ingredients.joint_activations": ("CReLU", "GLU", "Maxout", "Sparsemax", "SwiGLU"),
    "recipes.ingredients.norm_layers": (
        "FilterResponseNormalization",
        "LocalResponseNormalization",
        "SpectralNormalization",
        "WeightNormalization",
        "WeightStandardization",
    ),
    "recipes.ingredients.regularizers": ("Lp", "Orthogonal"),
    "recipes.ingredients.scaling": (
        "ArctanScaling",
        "LogScaling",
        "MinMaxScaling",
        "PowerScaling",
        "Standardization",
    ),
    "recipes.losses": ("SmoothedSparseCrossentropy",),
    "recipes.pooling": ("TokenPooling",),
    "recipes.transfer.model": ("DescribedModel",),
    "recipes.transfer.optimizer": ("StagewiseAdam",),
}
# What earlier versions called a class: the files that they wrote still load.
EARLIER = {"_ChannelPReLU": ("recipes.ingredients.activation_layers", "ChannelPReLU")}


def announce() -> None:
    """Let Keras find every class that a model of this library may hold."""
    now = {name: (module, name) for module, names in SAVED_IN.items() for name in names}
    registration.announce(
        {
            f"{PACKAGE}>{name}": registration.Later(*place)
            for name, place in {**now, **EARLIER}.items()
        }
    )


def load_model(path: str | Path, *, compile: bool = True) -> "keras.Model":
    """A model from a file that `model.save` wrote, with whatever it holds of this library.

    The same as `keras.models.load_model` after `import recipes`. A run folder's model with its
    class names comes from `recipes.load_classifier`.

    Args:
        path: a `.keras` file, or an `.h5` file.
        compile: whether to compile it as it was when it was saved.

    Raises:
        ValueError: there is no such file, or it is no Keras model.

    Example:
        >>> import tempfile
        >>> from recipes import mlp
        >>> file = Path(tempfile.mkdtemp()) / "model.keras"
        >>> mlp(4, 3, activation="crelu").save(file)
        >>> load_model(file).output_shape
        (None, 3)
    """
    import keras

    return keras.models.load_model(path, compile=compile)
