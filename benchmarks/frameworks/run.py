"""A network of `recipes.cnn` in frameworks that ended, or that have no backend in Keras 3.

Trains the network on scikit-learn's digits, writes it as ONNX and as plain arrays, and lets a short
script in an environment of its own repeat the probabilities of 64 test pictures in each framework.
Writes one row a framework to `benchmarks/results/frameworks.csv`: what was tried, with which
versions, and the largest difference, or why it does not run.

    python benchmarks/frameworks/run.py            # all; needs pip to reach a package index
    python benchmarks/frameworks/run.py pytensor   # one of them
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "frameworks.csv"
COLUMNS = ["framework", "what", "versions", "python", "difference", "outcome", "date"]


@dataclass(frozen=True)
class Framework:
    """A framework, what is tried in it, and what the script needs besides itself."""

    name: str
    what: str
    requirements: tuple[str, ...]
    script: str


FRAMEWORKS = (
    Framework(
        "MXNet",
        "reads the ONNX file of opset 8",
        ("mxnet==1.9.1", "numpy==1.23.5", "onnx==1.14.1", "setuptools<70"),
        "mxnet_reads_onnx.py",
    ),
    Framework(
        "Caffe",
        "OpenCV 4 reads the network as Caffe files",
        ("opencv-python-headless>=4.10,<5",),
        "opencv_reads_caffe.py",
    ),
    Framework(
        "Theano",
        "PyTensor, its successor, runs the network from the arrays",
        ("pytensor",),
        "pytensor_runs_arrays.py",
    ),
    Framework(
        "PyTorch",
        "onnx2torch makes a torch.nn.Module of the ONNX file",
        ("torch==2.13.0", "onnx2torch"),
        "onnx2torch_reads_onnx.py",
    ),
    Framework("Theano itself", "imports", ("theano==1.0.5",), "imports_theano.py"),
    Framework("CNTK", "installs", ("cntk==2.7",), "imports_cntk.py"),
)


def write_network(folder: Path) -> None:
    """Train the network, and write it, the pictures and the probabilities that are right."""
    import keras
    import numpy as np
    from sklearn.datasets import load_digits

    import recipes

    digits = load_digits()
    pictures = np.kron(digits.images / 16, np.ones((4, 4)))[..., None].repeat(3, -1)
    pictures = pictures.astype("float32")
    keras.utils.set_random_seed(0)
    model = recipes.cnn((32, 32, 3), 10, widths=(16, 32), scaling=None, seed=0)
    recipes.compile_classifier(model, learning_rate=1e-3)
    model.fit(pictures[:-360], digits.target[:-360], epochs=25, verbose=0)
    accuracy = model.evaluate(pictures[-360:], digits.target[-360:], verbose=0)[1]
    print(f"the network gets {accuracy:.3f} of 360 test digits right")
    tested = pictures[-64:]
    np.save(folder / "pictures.npy", tested)
    np.save(folder / "probabilities.npy", model.predict(tested, verbose=0))
    arrays = {v.path: keras.ops.convert_to_numpy(v) for v in model.weights}
    np.savez(folder / "weights.npz", **arrays)
    for opset in (8, 13):
        path = folder / f"opset{opset}.onnx"
        model.export(path, format="onnx", opset_version=opset, verbose=False)


def attempt(framework: Framework, folder: Path, environments: Path) -> dict:
    """Install a framework into an environment of its own, and run its script there."""
    place = environments / Path(framework.script).stem
    python = place / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    row = {"framework": framework.name, "what": framework.what}
    row |= {"python": platform.python_version(), "date": datetime.date.today().isoformat()}
    row["versions"] = " ".join(framework.requirements)
    for step in (
        [python, "-m", "pip", "install", "--quiet", *framework.requirements],
        [python, HERE / framework.script, folder],
    ):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            told = re.sub(r"/\S+", "…", (lines or ["it ended without a word"])[-1]).strip()
            return row | {"outcome": f"does not run: {told[:100]}"}
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return row | {"outcome": "same answers" if found["difference"] <= 1e-5 else "differs", **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of scripts' names; all by default")
    parser.add_argument("--environments", type=Path, help="folder to keep them in")
    options = parser.parse_args()
    import pandas as pd

    table = pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame(columns=COLUMNS)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_network(folder)
        for framework in FRAMEWORKS:
            if options.names and not any(name in framework.script for name in options.names):
                continue
            row = attempt(framework, folder, options.environments or folder / "environments")
            table = table[table["framework"] != framework.name]
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
            RESULTS.parent.mkdir(exist_ok=True)
            table[COLUMNS].to_csv(RESULTS, index=False)
            print(framework.name, row.get("difference"), row["outcome"], flush=True)


if __name__ == "__main__":
    main()
