"""Write what the anchors' schedulers give into `tests/reference/schemes.json`.

    pip install timm==1.0.31 transformers==5.24.0 optax==0.2.8 mmengine==0.10.7 paddlepaddle==3.3.1
    pip download --no-deps --no-binary :all: fairseq==0.12.2   # and unpack it
    pip download --no-deps mxnet==1.9.1                        # and unpack mxnet/lr_scheduler.py
    python -m tests.callbacks.record_schemes FAIRSEQ_FOLDER MXNET_LR_SCHEDULER_PY

in an environment of its own, with PyTorch. Of fairseq and MXNet, which no longer install, the
schedulers' files are run as they are. Each case has the arguments that our scheme takes.
"""

import importlib.metadata
import json
import random
import warnings
from pathlib import Path

import jax

from tests.callbacks.recorders import (  # noqa: F401
    RECORDERS,
    SETS,
    Draw,
    of_others,
    of_timm,
    of_transformers,
)

OUTPUT = Path(__file__).parents[1] / "reference" / "schemes.json"


def main():
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")
    cases = []
    for reference, (scheme, function) in RECORDERS.items():
        draw = Draw(random.Random(reference))
        for _ in range(SETS):
            params, rates = function(draw)
            rates = [float(f"{rate:.15g}") for rate in rates]
            case = {"scheme": scheme, "reference": reference, "params": params, "lr": rates}
            cases.append(json.dumps(case, separators=(",", ":")))
        print(reference, flush=True)
    packages = ("torch", "timm", "transformers", "optax", "mmengine", "paddlepaddle")
    versions = {name: importlib.metadata.version(name) for name in packages}
    versions |= {"fairseq": "0.12.2", "mxnet": "1.9.1"}
    text = ",\n".join(cases)
    OUTPUT.write_text(f'{{"versions":{json.dumps(versions)},\n"cases":[\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
