"""Keras without its backend's notes on the machine, which no setting silences.

Standard library only, so that importing a package that uses it imports nothing large.
"""

import logging
import os
import sys
import tempfile


def import_keras() -> None:
    """Import Keras; what its backend prints meanwhile is shown only where the import fails.

    TensorFlow's warning that Keras compiled several models is left out from then on: a model is
    compiled for each frozen boundary, and for each trial of a search, and is meant to be.
    """
    logger = logging.getLogger("tensorflow")
    if not any(isinstance(one, _SeveralModels) for one in logger.filters):
        logger.addFilter(_SeveralModels())
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryFile() as notes:
        kept = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            import keras  # noqa: F401
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
