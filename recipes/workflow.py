"""The main job in one call: from pictures and labels to a run."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import keras

from recipes import backbones, dtypes, strategies
from recipes.augmentation import Augmentation
from recipes.backbones.base import Backbone
from recipes.files import checked_path
from recipes.keras_setup import require_channels_last
from recipes.keywords import Options
from recipes.rules import GivenWeights
from recipes.run import Comparison, Run, compare_runs
from recipes.settings import (
    PRECISIONS,
    ChoosingSettings,
    DataSettings,
    ModelSettings,
    Settings,
    TrainingSettings,
    options_of,
)
from recipes.strategies import FineTuneStrategy
from recipes.training import train
from recipes.transfer import kept, parallel

# What runs did that do not say it.
BEFORE = {"resize": "squash", "near_copies": False, "refit": False}


def fit(
    data: Any,
    *,
    output: str | Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    overwrite: bool = False,
    verbose: bool = True,
    **options: Unpack[Options],
) -> Run:
    """Train an image classifier on pictures and their labels, by transfer learning.

    List, split, choose a strategy, train its phases, evaluate once on the test part, and leave a
    run folder. Interrupted at any time, the same call goes on from the last finished epoch.

    Args:
        data: where pictures and labels are:

            - a folder with one subfolder a class, or `train`, `val` and `test` with class folders
              inside (a `test` part without them is predicted at the end);
            - a CSV file, or a DataFrame, with a column of files and one of labels (`file_column`,
              `label_column`, guessed where one pair fits; `part_column`, `group_column`);
            - a folder of files with the label in their names (`labels_from_name`);
            - a pair of arrays: pictures, (n, H, W, 3) with values from 0 to 255, and labels, (n,).
        output: the run's folder, made by this call.
        callbacks: Keras callbacks of your own. They hear of one training, with a running count of
            epochs through all phases and the phase's name in the logs.
        overwrite: replace a finished run in `output`.
        verbose: whether progress is shown.
        **options: those of `recipes.Settings`, all with a default: `task`, `strategy`,
            `backbone`, `image_size`, `validation`, `test`, `seed`, …

    Returns:
        The run: `metrics`, `decision`, `history`, `predictions`, `dataset`.

    Raises:
        ValueError: an argument or the data are not usable; the text says which.
        FileNotFoundError: there is no such folder or file.
        FileExistsError: `output` exists and may not be replaced.

    Example:
        >>> run = fit("labels.csv", output="runs/a", task="multilabel")  # doctest: +SKIP
        >>> run.metrics["mean_average_precision"]  # doctest: +SKIP
        0.95
    """
    settings = _checked(Settings.of(**options))
    place = os.path.abspath(checked_path("output", output))
    with (
        dtypes.scope(settings.training.precision),
        parallel.scope(settings.training.distribution) as devices,
    ):
        size = settings.training.batch_size
        if isinstance(size, int) and size % devices.count:
            raise ValueError(
                f"batch_size: {size} pictures cannot be shared by {devices.count} devices."
            )
        if devices.process:
            place, verbose = f"{place}-process-{devices.process}", False
        return train(data, settings, callbacks, output=place, overwrite=overwrite, verbose=verbose)


def fit_folder(
    folder: str | Path,
    *,
    output: str | Path,
    strategy: str | FineTuneStrategy = ChoosingSettings.strategy,
    backbone: str | Path | Backbone | keras.Model = ModelSettings.backbone,
    weights: str | None = ModelSettings.weights,
    image_size: int | None = ModelSettings.image_size,
    epochs: int | None = TrainingSettings.epochs,
    batch_size: int | str = TrainingSettings.batch_size,
    dropout: float = ModelSettings.dropout,
    augmentation: str | Augmentation = TrainingSettings.augmentation,
    views: int = TrainingSettings.views,
    class_weights: GivenWeights = TrainingSettings.class_weights,
    validation: float = DataSettings.validation,
    test: float = DataSettings.test,
    groups: str | None = DataSettings.groups,
    layout: str = DataSettings.layout,
    allow_empty_classes: bool = DataSettings.allow_empty_classes,
    resize: str = DataSettings.resize,
    background: str = DataSettings.background,
    near_copies: bool = DataSettings.near_copies,
    max_pixels: int = DataSettings.max_pixels,
    large_from: int = ChoosingSettings.large_from,
    dissimilar_from: float = ChoosingSettings.dissimilar_from,
    cache_limit: int | str = DataSettings.cache_limit,
    distribution: str | None = TrainingSettings.distribution,
    precision: str = TrainingSettings.precision,
    refit: bool | None = TrainingSettings.refit,
    time_limit: float | str | None = TrainingSettings.time_limit,
    seed: int = TrainingSettings.seed,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    overwrite: bool = False,
    verbose: bool = True,
) -> Run:
    """Train on a folder with one subfolder a class: `fit`, with the options that matter for it.

    Args:
        folder: with one subfolder a class, or `train`, `val` and `test` with class folders inside.
        output: the run's folder, made by this call.
        strategy: "auto", which measures; "race", which lets the four compete on the validation
            part, for several times the time; one of the four strategies (`small_similar`,
            `small_dissimilar`, `large_similar`, `large_dissimilar`), of the ways `head_only`,
            `full` and `lora`, or a `FineTuneStrategy` of your own.
        backbone: what `recipes.backbones.get` takes: a name from `recipes.backbones.names()`, the
            folder of a preset of KerasHub, a model of KerasHub or of your own, or a `Backbone`.
        weights: from where to start: "pretrained", or the path of a local weights file for the
            backbone. By default what the strategy says: pretrained, or the backbone's own
            initialization for `large_dissimilar`.
        image_size: side in pixels to which pictures are resized; the backbone's own by default.
        epochs: at the most so many in each phase; the strategy's own by default.
        batch_size: pictures a step; by "auto" as many as the device needs to be busy, by
            measurement.
        dropout: the share of features dropped before the classifier in training.
        augmentation: a preset ("light", "strong", "randaugment", "mixup", "cutmix", "heavy"), an
            `Augmentation`, or "none".
        views: versions of each training picture in the cache of a frozen part; those after the
            first are augmented, and each costs one more forward pass.
        class_weights: whether rare classes weigh more; by default where the largest class has
            1.5 times the pictures of the smallest, or more. Or the weights: one for each class in
            order, or by a class's name or place (those left out weigh 1).
        validation: share of the pictures that decides when to stop.
        test: share of the pictures that is used once, at the end; 0 for none.
        groups: a CSV file (file, group) or a regular expression with one group in parentheses,
            searched in the relative path: pictures of one group stay in one part.
        layout: "classes" takes each folder as a class, "parts" those on top whose names say train,
            val and test; by "auto" these are parts where no other folder with pictures lies beside.
        allow_empty_classes: whether training goes on where a class has files of which none can be
            used.
        resize: how a picture becomes as wide and high as the model's: "crop", "squash" or "pad".
        background: a colour: what shows where a picture is transparent, and the margin of "pad".
        near_copies: whether near copies of a picture stay in one part.
        max_pixels: larger pictures are skipped before they are decoded.
        large_from: pictures a class from which "auto" counts the data as many.
        dissimilar_from: divergence in nats from which "auto" counts them as unlike.
        cache_limit: bytes of memory for pixels and features, or a text such as "2 GB"; above it
            they go to files.
        distribution: "data_parallel" to share each batch among all devices: on TensorFlow those of
            this process, on JAX those of several processes too (docs/distribution.md). By default
            one device trains.
        precision: in which training computes: "float32", "mixed_bfloat16" or "mixed_float16"
            (docs/accelerators.md); the model that is written is float32 in any case.
        refit: whether, at the end, the model learns on from the training and the validation part
            together; by default where the start is pretrained.
        time_limit: seconds, or a text such as "10min", for everything; the classifier alone comes
            first, then what fits.
        seed: of the split, the initial weights, the order, the augmentation and the dropout.
        callbacks: Keras callbacks of your own.
        overwrite: replace a finished run in `output`.
        verbose: whether progress is shown.

    Returns:
        The run, as `fit`.

    Raises:
        ValueError: an argument or the folder's content is not usable; the text says which.
        FileNotFoundError: there is no such folder.
        FileExistsError: `output` exists and may not be replaced.

    Example:
        >>> run = fit_folder("photos/", output="runs/photos")  # doctest: +SKIP
        >>> run.metrics["accuracy"]  # doctest: +SKIP
        0.95
    """
    return fit(
        folder,
        output=output,
        strategy=strategy,
        backbone=backbone,
        weights=weights,
        image_size=image_size,
        epochs=epochs,
        batch_size=batch_size,
        dropout=dropout,
        augmentation=augmentation,
        views=views,
        class_weights=class_weights,
        validation=validation,
        test=test,
        groups=groups,
        layout=layout,
        allow_empty_classes=allow_empty_classes,
        resize=resize,
        background=background,
        near_copies=near_copies,
        max_pixels=max_pixels,
        large_from=large_from,
        dissimilar_from=dissimilar_from,
        cache_limit=cache_limit,
        distribution=distribution,
        precision=precision,
        refit=refit,
        time_limit=time_limit,
        seed=seed,
        callbacks=callbacks,
        overwrite=overwrite,
        verbose=verbose,
    )


def _checked(settings: Settings) -> Settings:
    """The settings with the backbone as a name or a `Backbone`.

    What can be refused before a picture is read, and that settings cannot know, is refused.
    """
    require_channels_last()
    model = settings.model
    backbone = backbones.as_option(model.backbone, model.image_size, model.weights)
    settings = replace(settings, model=replace(model, backbone=backbone))
    parallel.check(settings.training.distribution)
    if settings.training.time_limit and settings.choosing.strategy == strategies.RACE:
        raise ValueError(
            "time_limit: a race takes as long as it takes; name another strategy, or leave 'auto' "
            "to choose one."
        )
    return settings


def rerun(
    run: str | Path,
    *,
    output: str | Path,
    data: Any = None,
    backbone: Backbone | keras.Model | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    overwrite: bool = False,
    verbose: bool = True,
) -> Comparison:
    """Train again with the settings of a finished run, and compare.

    The same versions, processor and number of threads give the same weights, bit for bit.

    Args:
        run: the run folder, or the `run.json` in it.
        output: the new run's folder.
        data: the pictures, where they are no longer where the run found them, or were in memory.
        backbone: that the run was trained with, where it was an object that the run does not keep.
        callbacks: Keras callbacks of your own.
        overwrite: replace a finished run in `output`.
        verbose: whether progress is shown.

    Returns:
        The new run, and what differs.

    Raises:
        FileNotFoundError: there is no such run, or its pictures are gone.

    Example:
        >>> rerun("runs/photos", output="runs/again").same  # doctest: +SKIP
        True
    """
    run = checked_path("run", run)
    old = Run.load(run.parent if run.name == "run.json" else run)
    config, known = {**BEFORE, **old.info["config"]}, {one.name for _, one in options_of()}
    if "refit" not in old.info["config"] and "strategy" in old.info:
        config["strategy"] = old.info["strategy"]  # the phases as they were then
    policy = old.info.get("keras", {}).get("dtype_policy")
    if "precision" not in config and policy in PRECISIONS:
        config["precision"] = policy  # Keras' own, by which runs went that do not say it
    if config.get("time_limit") or old.info.get("batch_size"):
        # The phases that there was time for, with the rates for the batch size that was chosen.
        config |= {"strategy": old.info["strategy"], "time_limit": None}
        config["refit"] = bool(old.info["refit"])
    data = config.get("data", config.get("folder")) if data is None else data
    if data is None:
        raise ValueError(f"data: {run} was trained on what was in memory; give it again.")
    settings = Settings.from_dict({name: config[name] for name in config if name in known})
    options = {one.name: getattr(getattr(settings, group), one.name) for group, one in options_of()}
    options["backbone"] = kept.start(old) if backbone is None else backbone
    given = {"output": output, "callbacks": callbacks, "overwrite": overwrite, "verbose": verbose}
    return compare_runs(old, fit(data, **given, **options))
