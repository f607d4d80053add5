"""Keras without its backend's notes on the machine, which no setting silences.

Standard library only, so that importing a package that uses it imports nothing large.
"""

import logging
import os
import sys
import tempfile
from importlib.machinery import PathFinder


def install() -> None:
    """From now on Keras is imported without notes, whoever imports it first.

    They are shown where the import fails. TensorFlow's warning that Keras compiled several models
    is left out too: one is compiled for each frozen boundary, and for each trial of a search.
    """
    logger = logging.getLogger("tensorflow")
    if not any(isinstance(one, _SeveralModels) for one in logger.filters):
        logger.addFilter(_SeveralModels())
    if "keras" not in sys.modules and _Finder not in sys.meta_path:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds Keras where it lies, and loads it in silence."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(cls)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _in_silence(load, module)  # type: ignore
        return spec


def _in_silence(load, module) -> None:
    """Load a module; what is written to the error stream meanwhile is shown only if it fails."""
    with tempfile.TemporaryFile() as notes:
        kept = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            load(module)
        except BaseException:
            notes.seek(0)
            os.write(kept, notes.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


class _SeveralModels(logging.Filter):
    """Leaves out that functions of Keras' own trainer were traced for several models."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return not ("triggered tf.function retracing" in text and "TensorFlowTrainer" in text)
