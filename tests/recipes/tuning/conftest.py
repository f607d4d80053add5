"""What keeps searches quick beside all the other tests."""

import gc

import pytest
import tensorflow as tf


@pytest.fixture(scope="module", autouse=True)
def nothing_to_collect():
    """Hide what is there from the garbage collector, which keras-tuner calls before each trial.

    Among the objects of TensorFlow, JAX, PyTorch and of all tests before, a call takes seconds.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def eager():
    """Networks as small as these are trained sooner than compiled."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
