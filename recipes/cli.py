"""The command line: argument parsing only, and one clear line where something is wrong.

An option that is not given is not passed on: its default is that of the settings, or of the
function behind the command (`recipes/commands.py`).
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from recipes import commands, rules
from recipes.options import default_in_words
from recipes.settings import options_of

UNUSABLE = 2
INTERRUPTED = 130
GROUPS = {
    "data": "pictures and labels",
    "model": "the network",
    "training": "the training",
    "choosing": "the strategy",
}


def _number_or_auto(text: str) -> int | str:
    """A whole number, or "auto"; what else comes is refused by the option's own rule."""
    return int(text) if text.removeprefix("-").isdecimal() else text


TYPES = {
    rules.COUNT: int,
    rules.COUNT_OR_AUTO: _number_or_auto,
    rules.WHOLE: int,
    rules.POSITIVE: float,
    rules.SHARE: float,
    rules.TEST_SHARE: float,
    rules.DROPOUT: float,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; those of the process by default.

    Returns:
        The exit code: 0, 2 where the input is not usable, 130 after Ctrl-C.
    """
    _keep_every_letter()
    # Of an accelerator, TensorFlow takes what memory it needs rather than all that there is.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        command(**options)
        sys.stdout.flush()
    except BrokenPipeError:  # as of `recipes scan photos/ | head`: the work is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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


def _keep_every_letter() -> None:
    """Write what an output's encoding lacks as an escape, rather than lose the rest."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    from recipes import __version__

    parser = argparse.ArgumentParser(
        prog="recipes", description="Train and use image classifiers by transfer learning."
    )
    parser.add_argument("--version", action="version", version=f"recipes {__version__}")
    parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    fit = _command(parsers, commands.fit, "train a classifier on pictures and their labels")
    fit.add_argument(
        "data",
        help="a folder with one subfolder a class (or train/, val/, test/ with them), a folder of "
        "files for --labels-from-name, or a CSV file of files and labels",
    )
    fit.add_argument("--output", required=True, help="the run's folder, made by this command")
    fit.add_argument("--overwrite", action="store_true", help="replace a finished run")
    _add_settings(fit, GROUPS)

    predict = _command(parsers, commands.predict, "classify pictures with a finished run")
    predict.add_argument("model", help="a run folder, or a backbone's name for ImageNet's classes")
    predict.add_argument("pictures", nargs="+", help="files and folders")
    predict.add_argument("--top-k", type=int, help="labels a picture (3)")
    predict.add_argument("--json", action="store_true", help="print JSON, an object a picture")
    predict.add_argument("--csv", metavar="FILE", help="write the table to a file too")

    scan = _command(parsers, commands.scan, "list pictures and labels, and what is wrong")
    scan.add_argument("data", help="as for fit")
    scan.add_argument("--csv", metavar="FILE", help="write one row a file to a CSV file")
    _add_settings(scan, {"data": GROUPS["data"]})

    check = _command(parsers, commands.check, "find labels that are likely wrong, odd pictures")
    check.add_argument("data", help="as for fit")
    check.add_argument("--csv", metavar="FILE", help="write one row a picture: labels for fit")
    check.add_argument("--backbone", help="see `recipes backbones` (efficientnet_lite0)")
    check.add_argument("--image-size", type=int, metavar="N", help="side of the pictures")
    check.add_argument("--seed", type=int, metavar="N", help="of everything random (0)")
    _add_settings(check, {"data": GROUPS["data"]})

    demo = _command(parsers, commands.demo, "train on pictures that come with scikit-learn")
    demo.add_argument("--output", required=True, help="the run's folder")
    demo.add_argument("--overwrite", action="store_true", help="replace a finished run")

    rerun = _command(parsers, commands.rerun, "train again as a run was, and compare")
    rerun.add_argument("run", help="the run folder, or its run.json")
    rerun.add_argument("--output", required=True, help="the new run's folder")
    rerun.add_argument("--data", help="the pictures, if they are no longer where they were")
    rerun.add_argument("--overwrite", action="store_true", help="replace a finished run")

    export = _command(parsers, commands.export, "write a finished run for another runtime")
    export.add_argument("run", help="the run folder")
    export.add_argument("--format", help="onnx, saved_model, litert, torch or web (onnx)")
    export.add_argument("--output", help="the file (in the run folder)")
    export.add_argument("--pictures", help="folder of pictures to check with (the run's own)")
    export.add_argument(
        "--runtime",
        metavar="FOLDER",
        help="of web: the npm package onnxruntime-web, copied beside the page (its public address)",
    )
    export.add_argument("--overwrite", action="store_true", help="replace what is there")

    search = _command(parsers, commands.search, "search the settings of a training")
    search.add_argument("data", help="as for fit; or a CSV file of numbers, with --target")
    search.add_argument("--directory", required=True, help="the search's folder, made by this")
    _add_search_options(search)

    _command(parsers, commands.backbones, "list the backbones: size, licence, are they here")
    return parser


def _command(parsers, function: Callable, text: str) -> argparse.ArgumentParser:
    parser = parsers.add_parser(
        function.__name__,
        help=text,
        description=text.capitalize() + ".",
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(command=function)
    return parser


def _add_settings(parser: argparse.ArgumentParser, titles: dict[str, str]) -> None:
    """The options of `recipes.Settings`, group by group, with their defaults in brackets."""
    groups = {name: parser.add_argument_group(title) for name, title in titles.items()}
    for group, one in options_of():
        if group not in groups:
            continue
        rule = one.metadata["rule"]
        how: dict[str, Any] = {}
        if rule in (rules.TRUTH, rules.WEIGHTS):  # weights themselves are for Python
            how = {"action": argparse.BooleanOptionalAction}
        elif rule is rules.COLUMNS:
            how = {"nargs": "+", "metavar": "COLUMN"}
        elif rule in TYPES:
            how = {"type": TYPES[rule], "metavar": "N" if TYPES[rule] is int else "X"}
        elif isinstance(rule, tuple):
            how = {"metavar": "NAME"}
        else:
            how = {"metavar": {rules.SIZE: "SIZE", rules.TIME: "TIME"}.get(rule, "TEXT")}
        text = f"{one.metadata['help']} ({default_in_words(one)})".replace("%", "%%")
        groups[group].add_argument(f"--{one.name.replace('_', '-')}", help=text, **how)


def _add_search_options(search: argparse.ArgumentParser) -> None:
    """The options of `search`: names and defaults of `recipes.search`, defaults in brackets."""
    add = search.add_argument
    add("--recipe", help="transfer, or a recipe such as cnn; mlp with --target (transfer)")
    add("--target", help="of a CSV file of numbers: the column of classes")
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
    add("--task", help="of transfer: auto, multiclass, binary or multilabel (auto)")
    add("--seed", type=int, help="of everything random (0)")
    add("--overwrite", action="store_true", help="replace another search there")


if __name__ == "__main__":
    sys.exit(main())
