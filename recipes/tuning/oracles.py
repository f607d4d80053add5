"""What keras-tuner lacks: a genetic algorithm, lists of settings, state that cannot be torn."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

import keras_tuner
import numpy as np
from keras_tuner.engine import hyperparameters as hyper, trial as trial_module

from recipes.files import write_json
from recipes.tuning.objective import direction_of

RUNNING, STOPPED = trial_module.TrialStatus.RUNNING, trial_module.TrialStatus.STOPPED
ENDED = (trial_module.TrialStatus.COMPLETED, trial_module.TrialStatus.FAILED)
MOST_STARTS = 5
# What it is mixed into; keras-tuner makes each oracle of a class of its own.
_Oracle: Any = keras_tuner.Oracle if TYPE_CHECKING else object


class SafeState(_Oracle):
    """Mixed into an oracle: its files are replaced in one step, and a restart loses no trial.

    keras-tuner writes in place, and a kill between its two files leaves a trial that is finished
    in one and not in the other. It also waits without end for a worker that is gone, and begins a
    trial again each time that it kills its worker.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self._begun = {}
        self._starts = Counter()

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        """Note metrics; keras-tuner alone ends the trial over those that it cannot tell of."""
        noted = self.trials[trial_id].metrics
        for name in metrics:
            if not noted.exists(name):
                own = self.objective.direction if name == self.objective.name else None
                noted.register(name, own or direction_of(name) or "min")
        return super().update_trial(trial_id, metrics, step)

    def save(self):
        """Write the oracle's state."""
        write_json(self._get_oracle_fname(), self.get_state())

    def _save_trial(self, trial):
        write_json(f"{self._get_trial_dir(trial.trial_id)}/trial.json", trial.get_state())

    def reload(self):
        """Read the state, and put right what lies between the two files."""
        super().reload()
        self.trials = dict(sorted(self.trials.items()))  # the order of a folder is the disk's own
        known = {*self.start_order}
        for trial_id in [name for name in self.trials if name not in known]:
            del self.trials[trial_id]  # it was not yet begun: its number is given out again
        for trial_id in list(self._retry_queue):
            if self.trials[trial_id].status in ENDED:
                self._retry_queue.remove(trial_id)
                if trial_id not in self.end_order:
                    self.end_order.append(trial_id)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        """The next trial; the same one again for a worker that was started again."""
        again = self.ongoing_trials.get(tuner_id)
        if again is not None and self._starts[again.trial_id] >= MOST_STARTS:
            again.status = trial_module.TrialStatus.FAILED
            again.message = f"Its process ended {MOST_STARTS} times."
            self.end_trial(again)
        trial = super().create_trial(tuner_id)
        self._begun[trial.trial_id] = time.monotonic()
        self._starts[trial.trial_id] += 1
        return trial

    @keras_tuner.synchronized
    def end_trial(self, trial):
        """Close a trial, once: a worker that was given up may still come back with it."""
        if self.trials[trial.trial_id].status in ENDED and trial.trial_id in self.end_order:
            for tuner_id, ongoing in list(self.ongoing_trials.items()):
                if ongoing.trial_id == trial.trial_id:
                    del self.ongoing_trials[tuner_id]
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)

    @keras_tuner.synchronized
    def give_up(self, seconds: float) -> list[str]:
        """Take trials away that were begun so long ago; others get them.

        Args:
            seconds: since a worker was given its trial.

        Returns:
            The ids of the workers.
        """
        lost = [
            tuner_id
            for tuner_id, trial in self.ongoing_trials.items()
            if time.monotonic() - self._begun[trial.trial_id] > seconds
        ]
        for tuner_id in lost:
            self._retry_queue.append(self.ongoing_trials.pop(tuner_id).trial_id)
            self.tuner_ids.discard(tuner_id)
        if lost:
            self.save()
        return lost


class GridOracle(keras_tuner.oracles.GridSearchOracle):
    """keras-tuner's grid, which forgets on a restart how far it was, and would end early."""

    def set_state(self, state):
        """Find from the trials what comes next."""
        super().set_state(state)
        self._ordered_ids = type(self._ordered_ids)()
        order = cmp_to_key(lambda a, b: self._compare(self._values(a), self._values(b)))
        before = None
        for trial_id in sorted(self.start_order, key=order):
            self._ordered_ids.insert(trial_id, before)
            before = trial_id
        self._populate_next = list(self.start_order)

    def _values(self, trial_id: str) -> dict:
        return self.trials[trial_id].hyperparameters.values


class ManualOracle(keras_tuner.Oracle):
    """Guess and check: a list of settings, one after the other.

    Args:
        settings: each a mapping of parameter to value; what is missing has its default.
        **options: of `keras_tuner.Oracle`.
    """

    def __init__(self, settings: Sequence[Mapping], **options):
        super().__init__(max_trials=len(settings), **options)
        self.settings = [dict(setting) for setting in settings]

    def populate_space(self, trial_id):
        """The setting of the trial's number."""
        values = _defaults(self.hyperparameters.space, self.settings[int(trial_id)])
        return {"status": RUNNING, "values": values}


class GeneticOracle(keras_tuner.Oracle):
    """A genetic algorithm over a keras-tuner space.

    The first trials are random. Each later one is the child of two parents, each the best of a
    random few (a tournament); it takes each value from either, a value that applies in one parent
    only from that one, and a value that applies in none at random. Then each value mutates with a
    small probability: a number by a normal step on its own (linear or logarithmic) scale, a choice
    to another. The population is the best trials so far: elitism. No setting is tried twice.

    Args:
        population_size: random trials at the start, and parents later on.
        tournament_size: how many compete to be a parent.
        mutation_rate: probability with which each value mutates; one value always does where the
            child would be like a trial before.
        mutation_scale: deviation of a step, as a share of the range.
        **options: of `keras_tuner.Oracle`: `objective`, `max_trials`, `hyperparameters`, `seed`.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        D. E. Goldberg, Genetic Algorithms in Search, Optimization and Machine Learning, 1989;
        K. Deb and R. B. Agrawal, Complex Systems 9 (1995), for crossover of numbers.

    Example:
        >>> oracle = GeneticOracle(objective=keras_tuner.Objective("loss", "min"), max_trials=9)
        >>> oracle.population_size
        10
    """

    def __init__(
        self,
        population_size: int = 10,
        tournament_size: int = 3,
        mutation_rate: float = 0.2,
        mutation_scale: float = 0.15,
        **options,
    ):
        super().__init__(**options)
        if population_size < 2:
            raise ValueError(f"population_size: {population_size!r} is below 2.")
        if not 1 <= tournament_size <= population_size:
            raise ValueError(
                f"tournament_size: {tournament_size!r} is not from 1 to the population_size."
            )
        if not 0 <= mutation_rate <= 1:
            raise ValueError(f"mutation_rate: {mutation_rate!r} is not from 0 to 1.")
        if not mutation_scale > 0:
            raise ValueError(f"mutation_scale: {mutation_scale!r} is not positive.")
        self.population_size = population_size
        self.tournament_size = tournament_size
        self.mutation_rate = mutation_rate
        self.mutation_scale = mutation_scale

    def populate_space(self, trial_id):
        """A random setting at first, a child of the best later."""
        population = completed(self, self.population_size)
        if len(self.start_order) < self.population_size or len(population) < 2:
            values = self._random_values()
        else:
            values = self._child([trial.hyperparameters.values for trial in population])
        if values is None:
            return {"status": STOPPED, "values": None}
        return {"status": RUNNING, "values": values}

    def _child(self, population: list[dict]) -> dict | None:
        """A setting that was not tried before, or None where none is found."""
        for attempt in range(10 * self._max_collisions):
            rng = np.random.default_rng([self.seed, self._seed_state])
            self._seed_state += 1
            parents = [self._parent(population, rng) for _ in range(2)]
            rate = min(1.0, self.mutation_rate * (1 + attempt / self._max_collisions))
            child = self._crossed(parents, rate, rng)
            if not self._duplicate(child):
                return child
        return self._random_values()

    def _parent(self, population: list[dict], rng) -> dict:
        """The best of a few: the population is sorted."""
        return population[int(rng.integers(len(population), size=self.tournament_size).min())]

    def _crossed(self, parents: list[dict], rate: float, rng) -> dict:
        active = hyper.HyperParameters()
        for parameter in self.hyperparameters.space:  # in order: a condition comes before
            active.merge([parameter])
            if not active.is_active(parameter):
                continue
            found = [parent[parameter.name] for parent in parents if parameter.name in parent]
            if not found:
                value = parameter.random_sample(int(rng.integers(2**31)))
            else:
                value = self._blend(parameter, found, rng)
                if rng.random() < rate:
                    value = self._mutated(parameter, value, rng)
            active.values[parameter.name] = value
        return active.values

    def _blend(self, parameter, found: list, rng):
        """One parent's value; for numbers also something between the two."""
        if len(found) == 2 and _is_range(parameter) and rng.random() < 0.5:
            low, high = sorted(parameter.value_to_prob(value) for value in found)
            return parameter.prob_to_value(float(rng.uniform(low, high)))
        return found[int(rng.integers(len(found)))]

    def _mutated(self, parameter, value, rng):
        if _is_range(parameter):
            place = parameter.value_to_prob(value) + rng.normal(0, self.mutation_scale)
            return parameter.prob_to_value(float(np.clip(place, 0, 1 - 1e-9)))
        others = [other for other in getattr(parameter, "values", []) if other != value]
        return others[int(rng.integers(len(others)))] if others else value


def completed(oracle: keras_tuner.Oracle, count: int) -> list:
    """The best finished trials; keras-tuner's own list is filled up with unfinished ones."""
    return [trial for trial in oracle.get_best_trials(count) if trial.status == "COMPLETED"]


def _is_range(parameter) -> bool:
    return isinstance(parameter, hyper.Float | hyper.Int)


def _defaults(space, given: Mapping) -> dict:
    """A whole setting: what is given, and the default of what else applies."""
    active = hyper.HyperParameters()
    for parameter in space:
        active.merge([parameter])
        if active.is_active(parameter):
            active.values[parameter.name] = given.get(parameter.name, parameter.default)
    return active.values


def safe(oracle_class: type, **options) -> keras_tuner.Oracle:
    """An oracle of this class whose state is safe, and that no failed trial stops.

    Example:
        >>> isinstance(safe(keras_tuner.oracles.RandomSearchOracle, max_trials=3), SafeState)
        True
    """
    made = type(oracle_class.__name__, (SafeState, oracle_class), {})
    return made(**options, max_consecutive_failed_trials=10**9)
