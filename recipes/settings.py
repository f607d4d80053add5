"""What a training depends on: one frozen value, with each option's default, check and help.

Free of Keras, so that the command line can print its help from it. An option has one name all the
way through: here, as an argument of `fit`, on the command line and in `run.json`.
"""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any

from recipes import augmentation, strategies
from recipes.augmentation import Augmentation
from recipes.lookup import unknown
from recipes.options import Group, choice, option, plain
from recipes.rules import (
    ANY,
    AUTO,
    COLOUR,
    COLUMNS,
    COUNT,
    COUNT_OR_AUTO,
    DROPOUT,
    PATH,
    POSITIVE,
    SHARE,
    SIZE,
    TEST_SHARE,
    TEXT,
    TIME,
    TRUTH,
    WEIGHTS,
    WHOLE,
    ClassWeights,
)
from recipes.strategies import FineTuneStrategy

TASKS = ("multiclass", "binary", "multilabel")
DATA_PARALLEL = "data_parallel"
FLOAT32, MIXED_FLOAT16 = "float32", "mixed_float16"
PRECISIONS = (FLOAT32, "mixed_bfloat16", MIXED_FLOAT16)


@dataclass(frozen=True)
class DataSettings(Group):
    """What the pictures and their labels are, and how they are divided.

    Attributes:
        task: "multiclass" (one label a picture), "binary" (two classes, one probability),
            "multilabel" (any number of labels a picture); by "auto" multilabel where the labels
            come as several columns, otherwise multiclass.
        positive: "binary": the class that the probability is of; the second by name otherwise.
        threshold: "binary", "multilabel": the probability from which a label counts; chosen on the
            validation part otherwise.
        pictures: of a table: the folder that its files are in; the table's own otherwise.
        file_column: of a table: the column of files; guessed otherwise.
        label_column: of a table: the column of labels, or several of 0 and 1; guessed otherwise.
        part_column: of a table: the column of train, validation and test.
        group_column: of a table: the column of groups.
        labels_from_name: a regular expression with one group, the label, searched in each file's
            name.
        groups: a CSV file (file, group) or a regular expression with one group: pictures of one
            group stay in one part.
        validation: share of the pictures that decides when to stop.
        test: share of the pictures that is used once, at the end; with 0 there is none, and the
            figures are those of the validation part.
        cache_limit: bytes of memory for pixels and features, or a text such as "2 GB"; above it
            they go to files.
        layout: of a folder: "classes" takes each folder as a class, "parts" those on top whose
            names say train, val and test; by "auto" these are parts where no other folder with
            pictures lies beside them.
        allow_empty_classes: whether training goes on where a class has files of which none can
            be used.
        resize: how a picture becomes as wide and high as the model's: "crop" leaves out what lies
            beyond the middle, "squash" changes its proportions, "pad" adds a margin.
        background: a colour, by name or as in "#ff8000": what shows where a picture is
            transparent, and the margin of "pad".
        near_copies: whether pictures that were resized, compressed, cropped, mirrored, lit or
            turned anew stay in one part with what they were made from.
        max_pixels: larger pictures are skipped before they are decoded.

    Example:
        >>> DataSettings(task="binary", test=0).validation
        0.15
    """

    task: str = option(AUTO, (AUTO, *TASKS), f"{AUTO}, {', '.join(TASKS)}")
    positive: str | None = option(
        None, TEXT, "binary: the class that the probability is of", unless="the second by name"
    )
    threshold: float | None = option(
        None,
        SHARE,
        "binary, multilabel: the probability from which a label counts",
        unless="chosen on the validation part",
    )
    pictures: str | None = option(
        None, PATH, "of a table: the folder that its files are in", unless="the table's own"
    )
    file_column: str | None = option(
        None, TEXT, "of a table: the column of files", unless="guessed"
    )
    label_column: str | tuple[str, ...] | None = option(
        None,
        COLUMNS,
        "of a table: the column of labels, or several of 0 and 1",
        unless="guessed",
    )
    part_column: str | None = option(
        None, TEXT, "of a table: the column of train, validation and test", unless="guessed"
    )
    group_column: str | None = option(
        None, TEXT, "of a table: the column of groups, which stay in one part", unless="none"
    )
    labels_from_name: str | None = option(
        None,
        TEXT,
        "regular expression with one group, the label, searched in each file's name",
        unless="labels are folders",
    )
    groups: str | None = option(
        None,
        PATH,
        "CSV file (file, group) or regular expression with one group: pictures of one group stay "
        "in one part",
        unless="none",
    )
    validation: float = option(0.15, SHARE, "share of the pictures that decides when to stop")
    test: float = option(0.15, TEST_SHARE, "share of the pictures for the one test at the end")
    cache_limit: int = option(2 << 30, SIZE, "memory for pixels and features, as in 512MB")
    layout: str = option(
        AUTO, (AUTO, "classes", "parts"), "whether folders on top are classes, parts, or auto"
    )
    allow_empty_classes: bool = option(
        False, TRUTH, "go on without a class whose files cannot be used"
    )
    resize: str = option(
        "crop", ("crop", "squash", "pad"), "crop, squash or pad: how pictures become square"
    )
    background: str = option("white", COLOUR, "colour behind transparent pictures and of pad")
    near_copies: bool = option(True, TRUTH, "near copies of a picture stay in one part")
    max_pixels: int = option(100_000_000, COUNT, "larger pictures are skipped")

    def __post_init__(self):
        super().__post_init__()
        if self.validation + self.test >= 1:
            raise ValueError("validation and test: together they leave nothing to train on.")


@dataclass(frozen=True)
class ModelSettings(Group):
    """The network that is trained.

    Attributes:
        backbone: what `recipes.backbones.get` takes: a name, a preset's folder, a model.
        weights: from where to start: "pretrained", or the path of a local weights file; what the
            strategy says otherwise.
        image_size: side in pixels to which pictures are resized; the backbone's own otherwise.
        dropout: the share of features dropped before the classifier in training.
    """

    backbone: Any = option(
        "efficientnet_lite0", ANY, "its name, see `recipes backbones`, or a folder"
    )
    weights: str | None = option(
        None, PATH, "pretrained, or a local weights file", unless="what the strategy says"
    )
    image_size: int | None = option(
        None, COUNT, "side in pixels to which pictures are resized", unless="the backbone's own"
    )
    dropout: float = option(0.2, DROPOUT, "share of features dropped before the classifier")


@dataclass(frozen=True)
class TrainingSettings(Group):
    """How it is trained.

    Attributes:
        epochs: at the most so many in each phase; the strategy's own otherwise.
        batch_size: pictures a step; by "auto" as many as the device needs to be busy, by
            measurement, where there are pictures enough; rates then grow with its root.
        augmentation: a preset ("light", "strong", "randaugment", "mixup", "cutmix", "heavy"), an
            `Augmentation`, or "none".
        views: versions of each training picture in the cache of a frozen part; those after the
            first are augmented, and each costs one more forward pass.
        class_weights: whether rare classes weigh more; otherwise where the largest class has 1.5
            times the pictures of the smallest, or more. Or the weights: a sequence of one for each
            class in order, or a mapping of a class's name or place to its weight, where classes
            that are left out weigh 1. Not for several labels a picture.
        distribution: "data_parallel" to share each batch among all devices: on TensorFlow those of
            this process, on JAX those of several processes too (docs/distribution.md).
        precision: in which training computes: "float32"; "mixed_bfloat16" or "mixed_float16", which
            take half the memory and are faster on accelerators that have units for them. Weights,
            the classifier and the model that is written are float32 in any case; the loss is scaled
            where float16 asks for it. Keras' own dtype policy has no say.
        refit: whether, at the end, the model learns on from the training and the validation part
            together: the classifier alone is solved again, what was fine-tuned has a quarter more
            of its steps, with the blend, the temperature and the thresholds that were found
            before; otherwise where the start is pretrained. Never where there is no test part: the
            figures are then of the validation part.
        time_limit: seconds, or a text such as "10min", that everything together may take, as far
            as it can be foreseen: what does not fit into it is left out, the classifier alone
            comes first. A race takes no limit, and from scratch is begun only where it is named.
        seed: of the split, the initial weights, the order, the augmentation and the dropout.
    """

    epochs: int | None = option(
        None, COUNT, "at the most so many in each phase", unless="the strategy's own"
    )
    batch_size: int | str = option(16, COUNT_OR_AUTO, f"pictures a step, or {AUTO}, by measurement")
    augmentation: str | Augmentation = option("light", ANY, ", ".join(augmentation.PRESETS))
    views: int = option(1, COUNT, "versions of a picture in the cache of a frozen part")
    class_weights: ClassWeights = option(
        None, WEIGHTS, "rare classes weigh more", unless="from an imbalance of 1.5"
    )
    distribution: str | None = option(
        None, (DATA_PARALLEL,), "data_parallel: all devices share each batch", unless="one device"
    )
    precision: str = option(FLOAT32, PRECISIONS, f"of the training: {', '.join(PRECISIONS)}")
    refit: bool | None = option(
        None,
        TRUTH,
        "learn on at the end, from the validation part too",
        unless="where the start is pretrained",
    )
    time_limit: float | None = option(
        None, TIME, "seconds for everything, or as in 10min", unless="none"
    )
    seed: int = option(0, WHOLE, "of everything random")

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "augmentation", augmentation.checked(self.augmentation))

    @property
    def pictures_a_step(self) -> int:
        """The batch size, where it is a number by now."""
        assert isinstance(self.batch_size, int)
        return self.batch_size


@dataclass(frozen=True)
class ChoosingSettings(Group):
    """By which strategy it is trained.

    Attributes:
        strategy: "auto", which measures; "race", which lets the four compete on the validation
            part, for several times the time; one of the four strategies (`small_similar`,
            `small_dissimilar`, `large_similar`, `large_dissimilar`), of the ways `head_only`,
            `full` and `lora`, or a `FineTuneStrategy` of your own.
        large_from: pictures a class from which "auto" counts the data as many.
        dissimilar_from: divergence in nats from which "auto" counts them as unlike the
            pretraining data. Photos lie below 0.1, drawings, scans and measurements above 0.15,
            with EfficientNet-Lite0 and ImageNet.
    """

    strategy: str | FineTuneStrategy = option(
        AUTO, ANY, ", ".join((strategies.AUTO, strategies.RACE, *strategies.NAMED))
    )
    large_from: int = option(1_000, COUNT, "auto: pictures a class that count as many")
    dissimilar_from: float = option(0.13, POSITIVE, "auto: divergence that counts as unlike")

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.strategy, FineTuneStrategy):
            choice("strategy", self.strategy, strategies.names())


GROUPS: dict[str, type[Group]] = {
    "data": DataSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "choosing": ChoosingSettings,
}


@dataclass(frozen=True)
class Settings:
    """All that decides a training's result, but for the pictures.

    Attributes:
        data: what the pictures and their labels are, and how they are divided.
        model: the network that is trained.
        training: how.
        choosing: by which strategy.

    Example:
        >>> settings = Settings.of(backbone="efficientnet_lite1", test=0.2)
        >>> settings.data.test, settings.training.batch_size
        (0.2, 16)
        >>> Settings.of(tset=0.2)
        Traceback (most recent call last):
        ValueError: Unknown option: 'tset'. Did you mean 'test'? Allowed: ...
    """

    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    choosing: ChoosingSettings = ChoosingSettings()

    @classmethod
    def of(cls, **options: Any) -> "Settings":
        """Settings from the options of all groups; one that is not given has its default.

        Raises:
            ValueError: an option is unknown, or its value is not allowed; the text says which.
        """
        places = {one.name: group for group, one in options_of()}
        given: dict[str, dict] = {group: {} for group in GROUPS}
        for name, value in options.items():
            if name not in places:
                raise unknown("option", name, places)
            given[places[name]][name] = value
        groups: dict[str, Any] = {name: group(**given[name]) for name, group in GROUPS.items()}
        return cls(**groups)

    def to_dict(self) -> dict:
        """Every option by name, as values for a JSON file; `from_dict` reads it."""
        return {
            one.name: plain(getattr(getattr(self, group), one.name)) for group, one in options_of()
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> "Settings":
        """The settings that `to_dict` wrote."""
        values = dict(values)
        if isinstance(values.get("strategy"), dict):
            values["strategy"] = FineTuneStrategy.from_dict(values["strategy"])
        return cls.of(**values)


def options_of() -> list[tuple[str, Field]]:
    """Each option of each group: (the group's name, the option as a dataclass field).

    Example:
        >>> [one.name for group, one in options_of() if group == "model"]
        ['backbone', 'weights', 'image_size', 'dropout']
    """
    return [(name, one) for name, group in GROUPS.items() for one in fields(group)]
