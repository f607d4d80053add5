"""What draws arguments at random, and calls the anchors' schedulers with them."""

import random
from dataclasses import dataclass

import torch

SETS, STEPS = 12, 200
RECORDERS = {}


def records(scheme, reference):
    """Decorator of a function that draws our arguments, and calls the reference with them."""

    def register(function):
        RECORDERS[reference] = scheme, function
        return function

    return register


@dataclass
class Draw:
    """Parameters at random, with few digits so that they stay readable."""

    rng: random.Random

    def rate(self):
        return self.number(0.01, 1.0)

    def number(self, low, high):
        return round(self.rng.uniform(low, high), 3)

    def count(self, low, high):
        return self.rng.randint(low, high)

    def one(self, *values):
        return self.rng.choice(values)


def optimizer(rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)


def stepped(sgd, scheduler):
    """The rates that a scheduler of PyTorch's kind sets, step by step."""
    rates = []
    for _ in range(STEPS):
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        scheduler.step()
    return rates
