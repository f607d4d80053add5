"""Record what Transformers' GreedyLR and fastai's suggestions give, into ../reference/.

    pip install "transformers==5.24.0" "fastai==2.8.12" torch
    python tests/callbacks/record_adaptive.py

`greedy.json`: parameters, metrics, and the rate before each and after the last.
`suggestions.json`: rates and losses, and what fastai's four functions make of them.
"""

import ast
import importlib.util
import json
from pathlib import Path

import numpy as np
import torch
from transformers.optimization import GreedyLR

HERE = Path(__file__).parents[1] / "reference"
RNG = np.random.default_rng(0)


def greedy_case(metrics, start, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
    scheduler = GreedyLR(optimizer, **options)
    rates = [start]
    for metric in metrics:
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    return {"options": options, "start": start, "metrics": metrics, "lr": rates}


def greedy():
    cases = []
    for case in range(24):
        falling = np.exp(-np.arange(120) / RNG.uniform(5, 200))
        metrics = (falling + RNG.normal(size=120) * RNG.choice([0.0, 0.02, 0.2])).tolist()
        options = {
            "mode": ["min", "max"][case % 2],
            "factor": float(RNG.uniform(0.5, 0.99)),
            "patience": int(RNG.integers(0, 6)),
            "threshold": float(RNG.choice([1e-6, 1e-2])),
            "threshold_mode": str(RNG.choice(["rel", "abs"])),
            "cooldown": int(RNG.integers(0, 4)),
            "warmup": int(RNG.integers(0, 4)),
            "min_lr": float(RNG.choice([1e-3, 0.05, 0.2])),
            "max_lr": float(RNG.choice([0.15, 1.0])),
            "reset_start": int(RNG.choice([1, 3, 500])),
        }
        if case % 3 == 0:
            options |= {"smooth": True, "window_size": int(RNG.integers(2, 10))}
        cases.append(greedy_case(metrics, float(RNG.choice([0.1, 0.3])), **options))
    return cases


def fastai_functions():
    """fastai's four functions, from its source: importing it would need all of fastai."""
    root = Path(importlib.util.find_spec("fastai").submodule_search_locations[0])
    tree = ast.parse((root / "callback" / "schedule.py").read_text())
    names = ("valley", "slide", "minimum", "steep")
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in names]
    scope = {"np": np, "to_np": lambda tensor: tensor.numpy()}
    exec(compile(tree, "schedule.py", "exec"), scope)
    return {name: scope[name] for name in names}


def suggestions():
    functions, cases = fastai_functions(), []
    for _ in range(12):
        count = int(RNG.integers(60, 160))
        rates = np.geomspace(1e-6, RNG.choice([1.0, 10.0]), count)
        x = np.linspace(0, 1, count)
        place, width = RNG.uniform(0.4, 0.7), RNG.uniform(0.03, 0.15)
        losses = 2.3 - 1.5 / (1 + np.exp(-(x - place) / width))
        losses = losses + np.exp((x - 0.95) / 0.02) + RNG.normal(size=count) * 0.02
        losses, rates = losses.round(5), rates.astype("float32").astype("float64")
        tensors = torch.tensor(rates), torch.tensor(losses)
        found = {name: function(*tensors, count)[0] for name, function in functions.items()}
        cases.append({"rates": rates.tolist(), "losses": losses.tolist(), "found": found})
    return cases


def main():
    (HERE / "greedy.json").write_text(json.dumps(greedy()) + "\n")
    (HERE / "suggestions.json").write_text(json.dumps(suggestions()) + "\n")


if __name__ == "__main__":
    main()
