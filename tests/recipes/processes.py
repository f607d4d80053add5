"""What one of the processes of a shared training does: `python -m tests.recipes.processes …`.

Arguments: devices of this process, the photos, the run's folder, and after how many saved epochs
the process ends itself (0: never).
"""

import os
import signal
import sys

import keras

EPOCHS = 3
OPTIONS = {"strategy": "large_similar", "epochs": EPOCHS, "batch_size": 8, "verbose": False}


def split_processor(devices):
    """As many devices as were asked for, on one processor."""
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_num_cpu_devices", devices)
    else:
        import tensorflow as tf

        processor = tf.config.list_physical_devices("CPU")[0]
        pieces = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(processor, pieces)


def end_after(saves):
    """Let this process be killed when it has saved its state so many times."""
    from recipes.work_folder import WorkFolder

    save, count = WorkFolder.save_state, [0]

    def counted(*arguments):
        save(*arguments)
        count[0] += 1
        if count[0] == saves:
            os.kill(os.getpid(), signal.SIGKILL)

    WorkFolder.save_state = counted


def main(devices, photos, output, saves):
    split_processor(int(devices))
    import recipes
    from tests.recipes.transfer.tiny import build_tiny

    several = "KERAS_DISTRIBUTION_PROCESS_ID" in os.environ
    if several:
        keras.distribution.initialize()  # JAX's processes meet before any array is made
    if int(saves):
        end_after(int(saves))
    # TensorFlow draws a dropout mask on each device, so it would not be that of one device.
    recipes.fit_folder(
        photos,
        output=output,
        backbone=build_tiny(dropout=0.0).backbone,
        dropout=0.0,
        distribution="data_parallel" if several or devices != "1" else None,
        **OPTIONS,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
