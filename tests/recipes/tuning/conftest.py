import pytest
import tensorflow as tf


@pytest.fixture(scope="module")
def eager():
    """Networks as small as these are trained sooner than compiled."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
