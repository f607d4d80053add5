"""The command line: argument parsing only, and one clear line where something is wrong.

Keras is imported by the command that needs it, so that help answers at once. An option that is not
given is not passed on: its default is that of the function behind the command.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

UNUSABLE = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; those of the process by default.

    Returns:
        The exit code: 0, 2 where the input is not usable, 130 after Ctrl-C.
    """
    options = vars(_parser().parse_args(arguments))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no notes about missing accelerators
    command = options.pop("command")
    try:
        command(**options)
    except (ValueError, OSError, ImportError) as error:
        print(f"recipes: error: {' '.join(str(error).split())}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print(
            "\nrecipes: stopped. What was reached is kept; the same command goes on from there.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recipes", description="Train and use image classifiers by transfer learning."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    fit = _command(commands, "fit", _fit, "train a classifier on a folder of pictures")
    fit.add_argument("folder", help="one subfolder a class, or train/, val/, test/ with them")
    fit.add_argument("--output", required=True, help="the run's folder, made by this command")
    _add_fit_options(fit)

    predict = _command(commands, "predict", _predict, "classify pictures with a finished run")
    predict.add_argument("model", help="a run folder, or a backbone's name for ImageNet's classes")
    predict.add_argument("pictures", nargs="+", help="files and folders")
    predict.add_argument("--top-k", type=int, help="labels a picture (3)")
    predict.add_argument("--csv", metavar="FILE", help="write the table to a file too")

    scan = _command(commands, "scan", _scan, "list what is in a folder, and what is wrong with it")
    scan.add_argument("folder")
    scan.add_argument("--groups", help="CSV file (file, group) or regular expression")
    scan.add_argument("--csv", metavar="FILE", help="write one row a file to a CSV file")

    demo = _command(commands, "demo", _demo, "train on pictures that come with scikit-learn")
    demo.add_argument("--output", required=True, help="the run's folder")
    demo.add_argument("--overwrite", action="store_true", help="replace a finished run")

    rerun = _command(commands, "rerun", _rerun, "train again as a run was, and compare")
    rerun.add_argument("run", help="the run folder, or its run.json")
    rerun.add_argument("--output", required=True, help="the new run's folder")
    rerun.add_argument("--overwrite", action="store_true", help="replace a finished run")

    export = _command(commands, "export", _export, "write a finished run for another runtime")
    export.add_argument("run", help="the run folder")
    export.add_argument("--format", help="onnx, saved_model, litert or torch (onnx)")
    export.add_argument("--output", help="the file (in the run folder)")
    export.add_argument("--pictures", help="folder of pictures to check with (the run's own)")
    export.add_argument("--overwrite", action="store_true", help="replace what is there")

    search = _command(commands, "search", _search, "search the settings of a training")
    search.add_argument("data", help="a folder of pictures, or a CSV file with --target")
    search.add_argument("--directory", required=True, help="the search's folder, made by this")
    _add_search_options(search)

    _command(commands, "backbones", _backbones, "list the pretrained backbones")
    return parser


def _command(commands, name, function, text) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=text.capitalize() + ".", argument_default=argparse.SUPPRESS
    )
    parser.set_defaults(command=function)
    return parser


def _add_fit_options(fit: argparse.ArgumentParser) -> None:
    """The options of `fit`: names and defaults of `recipes.fit_folder`, defaults in brackets."""
    add = fit.add_argument
    add(
        "--strategy",
        help="auto, race, small_similar, small_dissimilar, large_similar, large_dissimilar, "
        "head_only or full (auto)",
    )
    add("--backbone", help="see `recipes backbones` (efficientnet_lite0)")
    add("--weights", help="pretrained, or a local weights file (what the strategy says)")
    add("--image-size", type=int, metavar="PIXELS", help="side of the pictures (the backbone's)")
    add("--epochs", type=int, help="at the most so many in each phase (the strategy's)")
    add("--batch-size", type=int, help="pictures a step (32)")
    add("--dropout", type=float, help="share of features dropped before the classifier (0.2)")
    add("--augmentation", help="none, light or strong (light)")
    add("--views", type=int, help="versions of a picture in the cache of a frozen part (1)")
    add(
        "--class-weights",
        action=argparse.BooleanOptionalAction,
        help="whether rare classes weigh more (from an imbalance of 1.5)",
    )
    add("--validation", type=float, help="share of the pictures (0.15)")
    add("--test", type=float, help="share of the pictures (0.15)")
    add("--groups", help="CSV file (file, group) or regular expression: groups stay together")
    add("--large-from", type=int, help="pictures a class that count as many (1000)")
    add("--dissimilar-from", type=float, help="divergence that counts as unlike (0.13)")
    add("--cache-limit", type=int, metavar="BYTES", help="memory for features (2147483648)")
    add("--distribution", help="data_parallel: all devices share each batch (one device)")
    add("--seed", type=int, help="of everything random (0)")
    add("--overwrite", action="store_true", help="replace a finished run")


def _add_search_options(search: argparse.ArgumentParser) -> None:
    """The options of `search`: names and defaults of `recipes.search`, defaults in brackets."""
    add = search.add_argument
    add("--recipe", help="transfer, cnn, resnet, mobilenet, or mlp for a CSV file (transfer)")
    add("--target", help="the CSV file's column of classes")
    add("--algorithm", help="grid, random, bayesian, hyperband or genetic (bayesian)")
    add("--max-trials", type=int, help="settings to try (20)")
    add("--max-epochs", type=int, help="at the most so many a trial, or a phase of it (20)")
    add("--objective", help="val_loss or val_accuracy (val_loss)")
    add("--patience", type=int, help="epochs without a better one before a trial ends (5)")
    add(
        "--prune",
        action=argparse.BooleanOptionalAction,
        help="whether a trial worse than the median ends early (it does)",
    )
    add("--validation", type=float, help="share of the data (0.2)")
    add("--test", type=float, help="share of the data (0.2)")
    add("--workers", type=int, help="processes that try side by side (1)")
    add("--trial-timeout", type=float, metavar="SECONDS", help="after which a trial is lost")
    add("--backbone", help="of transfer, see `recipes backbones` (efficientnet_lite0)")
    add("--image-size", type=int, metavar="PIXELS", help="side of the pictures")
    add("--seed", type=int, help="of everything random (0)")
    add("--overwrite", action="store_true", help="replace another search there")


def _import_keras() -> None:
    """Import Keras without its backend's notes on the machine, which no setting silences.

    Nor with TensorFlow's warning that several models are compiled, one for each frozen boundary.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import keras  # noqa: F401
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _fit(**options) -> None:
    _import_keras()
    from recipes.workflow import fit_folder

    _show(fit_folder(**options))


def _show(run) -> None:
    """The end of a training: accuracy, strategy and why, where the report lies."""
    print(f"accuracy  {run.metrics['accuracy']:.1%} on {run.metrics['pictures']} test pictures")
    print(f"strategy  {run.decision.strategy}")
    print(f"why       {run.decision.reason}")
    print(f"report    {run.folder / 'report.html'}")


def _predict(csv: str | None = None, **options) -> None:
    _import_keras()
    from recipes.workflow import predict

    _print_table(predict(**options), csv)


def _scan(folder: str, groups: str | None = None, csv: str | None = None) -> None:
    from recipes.images.folder import describe, scan

    frame = scan(folder, groups=groups)
    print(describe(frame))
    if csv:
        frame.to_csv(csv, index=False)


def _demo(**options) -> None:
    _import_keras()
    from recipes.demo import fit_demo

    _show(fit_demo(**options))


def _rerun(**options) -> None:
    _import_keras()
    from recipes.workflow import rerun

    found = rerun(**options)
    if found.same:
        print("matches   every weight is the same, bit for bit")
    else:
        print(f"differs   by {found.largest_difference:.3g} at the most in a weight")
    for name, (before, now) in found.conditions.items():
        print(f"{name:10}{before}, now {now}")
    _show(found.run)


def _export(**options) -> None:
    _import_keras()
    from recipes.export import export_run

    print(export_run(**options))


def _search(data: str, recipe: str | None = None, **options) -> None:
    _import_keras()
    import pandas as pd

    from recipes.tuning.search import search

    table = Path(data).suffix.lower() == ".csv"
    recipe = recipe or ("mlp" if table else "transfer")
    result = search(recipe, pd.read_csv(data) if table else data, **options)
    if result is None:  # a worker of several machines
        return
    for name, value in result.best.items():
        print(f"{name:20}{value}")
    for name, value in result.test_metrics.items():
        print(f"{name:20}{value:.4f} on the test part, used once")
    print(f"{'report':20}{result.folder / 'report.html'}")


def _backbones() -> None:
    _import_keras()
    from recipes import backbones

    print("\n".join(backbones.names()))


def _print_table(table, csv: str | None) -> None:
    if csv:
        table.to_csv(Path(csv), index=False)
    print(table.to_string(index=False, na_rep=""))


if __name__ == "__main__":
    sys.exit(main())
