"""The main job in two calls: from a folder of pictures to a run, and from a run to predictions."""

import inspect
import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from recipes import backbones, report
from recipes.images import augment
from recipes.images.folder import list_files, scan
from recipes.images.pipeline import stream
from recipes.images.split import class_weights as balanced_weights
from recipes.images.split import imbalance_ratio, split
from recipes.lookup import find
from recipes.run import Comparison, Run, WorkFolder, check_output, compare_runs
from recipes.transfer import choice, novelty, parallel, refine, results, similarity, strategies
from recipes.transfer.data import content_key, load_parts
from recipes.transfer.explain import class_activation_maps
from recipes.transfer.features import ArrayCache, Boundary
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.model import forward
from recipes.transfer.strategies import FineTuneStrategy

IMBALANCED_FROM = 1.5
VARIED = augment.get("light")


def fit_folder(
    folder: str | Path,
    *,
    output: str | Path,
    strategy: str | FineTuneStrategy = "auto",
    backbone: str = "efficientnet_lite0",
    weights: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int = 32,
    dropout: float = 0.2,
    augmentation: str = "light",
    views: int = 1,
    class_weights: bool | None = None,
    validation: float = 0.15,
    test: float = 0.15,
    groups: str | None = None,
    large_from: int = similarity.LARGE_FROM,
    dissimilar_from: float = similarity.DISSIMILAR_FROM,
    cache_limit: int = 2 << 30,
    distribution: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    verbose: bool = True,
) -> Run:
    """Train an image classifier on a folder of pictures by transfer learning.

    Scan, split, choose a strategy, train its phases, evaluate once on the test part, and leave a
    run folder. Interrupted at any time, the same call goes on from the last finished epoch.

    Args:
        folder: with one subfolder a class, or `train`, `val` and `test` with class folders inside.
        output: the run's folder, made by this call.
        strategy: "auto", which measures; "race", which lets the four compete on the validation
            part, for several times the time; one of the four strategies (`small_similar`,
            `small_dissimilar`, `large_similar`, `large_dissimilar`), of the ways `head_only` and
            `full`, or a `FineTuneStrategy` of your own.
        backbone: a name from `recipes.backbones.names()`.
        weights: from where to start: "pretrained", or the path of a local weights file for the
            backbone. By default what the strategy says: pretrained, or the backbone's own
            initialization for `large_dissimilar`.
        image_size: side in pixels to which pictures are resized; the backbone's own by default.
        epochs: at the most so many in each phase; the strategy's own by default.
        batch_size: pictures a step.
        dropout: the share of features dropped before the classifier in training.
        augmentation: a preset of `recipes.images.augment`, or "none".
        views: versions of each training picture in the cache of a frozen part; those after the
            first are augmented, and each costs one more forward pass.
        class_weights: whether rare classes weigh more; by default where the largest class has
            1.5 times the pictures of the smallest, or more.
        validation: share of the pictures that decides when to stop.
        test: share of the pictures that is used once, at the end.
        groups: a CSV file (file, group) or a regular expression with one group: pictures of one
            group stay in one part.
        large_from: pictures a class from which "auto" counts the data as many.
        dissimilar_from: divergence in nats from which "auto" counts them as unlike.
        cache_limit: bytes of memory for pixels and features; above it they go to files.
        distribution: "data_parallel" to share each batch among all devices: on TensorFlow those of
            this process, on JAX those of several processes too (docs/distribution.md). By default
            one device trains.
        seed: of the split, the initial weights, the order, the augmentation and the dropout.
        overwrite: replace a finished run in `output`.
        verbose: whether progress is shown.

    Returns:
        The run: `metrics`, `decision`, `history`, `predictions`, `dataset`.

    Raises:
        ValueError: an argument or the folder's content is not usable; the text says which.
        FileNotFoundError: there is no such folder.
        FileExistsError: `output` exists and may not be replaced.

    Example:
        >>> run = fit_folder("photos/", output="runs/photos")  # doctest: +SKIP
        >>> run.metrics["accuracy"]  # doctest: +SKIP
        0.95
    """
    config = dict(locals())  # first of all: every argument as it came, for `run.json`
    config |= {"folder": os.path.abspath(folder), "output": os.path.abspath(output)}
    _check(config)
    if isinstance(strategy, FineTuneStrategy):
        config["strategy"] = strategy.to_dict()
    with parallel.scope(distribution) as devices:
        if batch_size % devices.count:
            raise ValueError(
                f"batch_size: {batch_size} pictures cannot be shared by {devices.count} devices."
            )
        if devices.process:
            config |= {"output": f"{config['output']}-process-{devices.process}", "verbose": False}
        return _train(config, strategy)


def _train(config: dict, strategy: str | FineTuneStrategy) -> Run:
    """From the pictures to the run folder."""
    output, overwrite, seed = config["output"], config["overwrite"], config["seed"]
    verbose = config["verbose"]
    check_output(output, overwrite)
    began = time.perf_counter()
    frame = scan(config["folder"], groups=config["groups"], verbose=verbose)
    frame = split(frame, validation=config["validation"], test=config["test"], seed=seed)
    classes = sorted(frame.loc[frame["status"] == "ok", "class"].unique())
    settings = _settings(config, frame)
    parallel.agree(settings)
    with WorkFolder.open(output, settings, overwrite=overwrite) as work:
        cache = ArrayCache(work.folder / "cache", config["cache_limit"])
        named = None if strategy in (strategies.AUTO, strategies.RACE) else strategies.get(strategy)
        transfer = choice.start(config, len(classes), named)
        size = transfer.backbone.image_size
        data, frame = load_parts(frame, classes, size, cache, verbose=verbose)
        labels = data["train"].labels
        imbalance = imbalance_ratio(labels)
        weighted = config["class_weights"]
        weighted = imbalance >= IMBALANCED_FROM if weighted is None else weighted
        training = {
            "class_weights": balanced_weights(labels, len(classes)) if weighted else None,
            "batch_size": config["batch_size"],
            "views": config["views"],
            "augmentation": augment.get(config["augmentation"]),
            "seed": seed,
            "verbose": verbose,
        }
        decision = choice.choose(config, named, transfer, data, cache, work, training)
        plan = named or strategies.get(decision.strategy)
        if named is None:
            transfer = choice.start(config, len(classes), plan)
        plan = plan.with_epochs(config["epochs"]) if config["epochs"] else plan
        history, audits = fine_tune(transfer, plan, data, cache, work=work, **training)
        first = plan.phases[-1].first_trainable(transfer.num_stages) if plan.phases else 0
        seen = {name: training[name] for name in ("views", "augmentation", "seed", "verbose")}
        cut = Boundary(transfer, first, data, cache, **seen)
        temperature = refine.calibrate(cut)
        novelty.keep(work.folder, cut)
        info = {
            "config": config,
            "classes": classes,
            "decision": decision.to_dict(),
            "strategy": plan.to_dict(),
            "class_weights": {"used": bool(weighted), "imbalance": imbalance},
            "audit": audits,
            "temperature": temperature,
            "devices": asdict(parallel.current()),
            "seconds": time.perf_counter() - began,
        }
        results.write_run(
            work.folder, transfer, frame, history, data["test"], info, verbose=verbose
        )
        report.write(
            work.folder,
            data["train"].pixels,
            labels,
            data["test"].pixels,
            explain=partial(class_activation_maps, transfer),
        )
        return Run.load(work.finish())


def _check(config: dict) -> None:
    """Refuse what can be refused before a picture is read."""
    for name in ("validation", "test"):
        if not 0 < config[name] < 1:
            raise ValueError(f"{name}: {config[name]!r} is not a share between 0 and 1.")
    if config["validation"] + config["test"] >= 1:
        raise ValueError("validation and test: together they leave nothing to train on.")
    for name in ("batch_size", "views", "epochs", "large_from"):
        if config[name] is not None and config[name] < 1:
            raise ValueError(f"{name}: {config[name]!r} is not a whole number from 1 up.")
    if not 0 <= config["dropout"] < 1:
        raise ValueError(f"dropout: {config['dropout']!r} is not a share from 0 to below 1.")
    if not isinstance(config["strategy"], FineTuneStrategy):
        find(config["strategy"], dict.fromkeys(strategies.names()), what="strategy")
    find(config["backbone"], dict.fromkeys(backbones.names()), what="backbone")
    augment.get(config["augmentation"])
    parallel.check(config["distribution"])


def _settings(config: dict, frame: pd.DataFrame) -> dict:
    """All that decides a result, by which an unfinished run knows its own."""
    no_matter = ("folder", "output", "overwrite", "verbose")
    settings = {name: value for name, value in config.items() if name not in no_matter}
    return {**settings, "data": content_key(frame), "versions": results.versions()}


def rerun(
    run: str | Path, *, output: str | Path, overwrite: bool = False, verbose: bool = True
) -> Comparison:
    """Train again with the settings of a finished run, and compare.

    The same versions, processor and number of threads give the same weights, bit for bit.

    Args:
        run: the run folder, or the `run.json` in it.
        output: the new run's folder.
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
    run = Path(run)
    old = Run.load(run.parent if run.name == "run.json" else run)
    config = {name: old.info["config"][name] for name in old.info["config"]}
    if isinstance(config["strategy"], dict):
        config["strategy"] = FineTuneStrategy.from_dict(config["strategy"])
    known = inspect.signature(fit_folder).parameters
    config = {name: value for name, value in config.items() if name in known}
    given = {"output": output, "overwrite": overwrite, "verbose": verbose}
    return compare_runs(old, fit_folder(**{**config, **given}))


def predict(
    model: str | Path,
    pictures: str | Path | Iterable[str | Path],
    *,
    top_k: int = 3,
    views: int = 1,
    batch_size: int = 32,
    verbose: bool = True,
) -> pd.DataFrame:
    """Classify pictures with a finished run, or with a pretrained backbone as it is.

    Args:
        model: a run folder; or the name of a backbone, to predict the 1,000 ImageNet classes.
        pictures: files and folders; a folder stands for all files below it.
        top_k: how many labels to give, the likeliest first; at most the number of classes.
        views: how many versions of each picture are classified, their probabilities averaged; the
            first is the picture as it is, the others are varied lightly.
        batch_size: pictures in one forward pass.
        verbose: whether progress is shown.

    Returns:
        One row a file: `file`, `label`, `probability`, then `label_2`, `probability_2`, …;
        `novelty`, for a run: from 0 to 1, the share of its validation part that is nearer to the
        training part (from 0.99 on the picture is unlike anything seen in training, and the
        probabilities mean little); and `error`: empty, or why the picture could not be read.

    Raises:
        FileNotFoundError: no such run, or a picture that does not exist.
        ValueError: the run is incomplete or damaged, or no pictures were given.

    Example:
        >>> predict("runs/photos", ["new.jpg"])  # doctest: +SKIP
              file label  probability ...
    """
    if views < 1:
        raise ValueError(f"views: {views!r} is not a whole number from 1 up.")
    files = _files([pictures] if isinstance(pictures, str | Path) else pictures)
    classifier, classes = load_classifier(model)
    known = novelty.read(model)
    top_k = min(top_k, len(classes))
    height, width = classifier.input_shape[1:3]
    pooled = classifier.get_layer("pool").output if known else classifier.output
    network = keras.Model(classifier.input, [classifier.output, pooled])
    labels = np.full((len(files), top_k), None, dtype=object)
    chances = np.full((len(files), top_k), np.nan)
    novelties = np.full(len(files), np.nan)
    errors = np.full(len(files), "", dtype=object)
    batches = stream(".", files, (height, width), batch_size, label="Predicting", verbose=verbose)
    for rows, pixels, failed in batches:
        for row, reason in failed.items():
            errors[row] = reason
        if len(rows):
            probabilities, features = forward(network, pixels, batch_size)
            for view in range(1, views):
                varied = augment.batch(pixels, [(view, row) for row in rows], VARIED)
                probabilities = probabilities + forward(network, varied, batch_size)[0]
            probabilities = probabilities / views
            best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
            labels[rows] = np.array(classes, dtype=object)[best]
            chances[rows] = np.take_along_axis(probabilities, best, axis=1)
            if known:
                novelties[rows] = novelty.score(features, known)
    columns = {"file": files}
    for k in range(top_k):
        suffix = "" if k == 0 else f"_{k + 1}"
        columns |= {f"label{suffix}": labels[:, k], f"probability{suffix}": chances[:, k]}
    if known:
        columns["novelty"] = novelties
    return pd.DataFrame({**columns, "error": errors})


def load_classifier(model: str | Path) -> tuple[keras.Model, list[str]]:
    """The model of a run, rebuilt from its checked configuration, and its class names.

    Only numbers are read from the run folder: nothing in it can run.

    Args:
        model: a run folder, or the name of a backbone for its ImageNet classifier.

    Returns:
        The model, raw pictures (batch, H, W, 3) to probabilities, and the names of its outputs.

    Raises:
        FileNotFoundError: no such run folder.
        ValueError: the run is incomplete, damaged or not what its configuration says.

    Example:
        >>> model, classes = load_classifier("runs/photos")  # doctest: +SKIP
    """
    if not Path(model).exists() and str(model) in backbones.names():
        return backbones.imagenet_classifier(str(model))
    run = Run.load(model)
    return results.model_of(run), run.classes


def _files(pictures: Iterable[str | Path]) -> list[str]:
    """The files that were named, and those below the folders that were named."""
    files = []
    for item in map(Path, pictures):
        if item.is_dir():
            files += [str(item / path) for path in list_files(item)]
        elif item.exists():
            files.append(str(item))
        else:
            raise FileNotFoundError(f"pictures: {item} does not exist.")
    if not files:
        raise ValueError("pictures: no file was named, and the folders hold none.")
    return files
