"""The calls of `fit` by which a scheme leads a number."""

from abc import ABC, abstractmethod
from typing import Any

import keras

from .leading import Leader
from .memory import attach
from .optimizers import Target


class Led(keras.callbacks.Callback, ABC):
    """A callback that lets a scheme lead a target through a training."""

    _target: Target | None = None
    _leader: Leader | None = None
    # Of the epoch in training: the last batch, and what was measured, where something watches it.
    _last, _logs, _watching = -1, {}, False

    @abstractmethod
    def leads(self) -> Any:
        """The scheme that leads."""

    @abstractmethod
    def target_in(self, model: keras.Model) -> Target:
        """What is led in a model."""

    @property
    def async_safe(self) -> bool:
        """Whether Keras may end batches while others train: where no metric is watched."""
        return not self.leads().watchers

    @property
    def leader(self) -> Leader:
        """What leads, once training has begun."""
        assert self._leader is not None
        return self._leader

    def set_model(self, model):
        """Note how the optimizer is when `fit` is called: nothing is restored yet."""
        super().set_model(model)
        try:
            self._target = self.target_in(model)
        except (ValueError, AttributeError):  # no optimizer, as for predict; fit says so
            self._target = None
            return
        if self.leads().watchers:
            attach(self._target, self)

    def on_train_begin(self, logs=None):
        """Check that the target can be led."""
        target = self._target or self.target_in(self.model)
        self._leader = Leader(self.leads(), target, self.params or {})
        self._watching = bool(self.leads().watchers)
        for watcher in self.leads().watchers:
            watcher.begin_watch(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        """Set the epoch's rate where epochs are counted."""
        self.leader.begin_epoch(epoch)
        self._last, self._logs = -1, {}

    def on_train_batch_begin(self, batch, logs=None):
        """Set the step's rate where steps are counted."""
        self.leader.begin_batch(batch)

    def on_train_batch_end(self, batch, logs=None):
        """See after the first batch, when the metrics are made, that each can be judged."""
        if not self._watching:
            return
        if self._last < 0:
            for watcher in self.leads().watchers:
                watcher.begin_judging()
        self._last, self._logs = batch, logs or {}

    def on_test_end(self, logs=None):
        """Note what the validation gave."""
        if self._watching:
            named = {f"val_{name}": value for name, value in (logs or {}).items()}
            self._logs = {**self._logs, **named}

    def on_epoch_end(self, epoch, logs: Any = None):
        """See that the optimizer is used, log what is in effect, and let a plateau see the logs."""
        self.leader.end_epoch()
        logs = {} if logs is None else logs
        if self.leader.rate is not None:
            logs[self.leader.target.name] = self.leader.rate
            logs.update(self.leader.target.others())
        for watcher, time in self.leads().at_work(self.leader.step):
            watcher.see(logs, time, epoch)
        self._logs = {}

    def on_train_end(self, logs=None):
        """Let a plateau say that it has seen nothing."""
        self._watching = False
        for watcher in self.leads().watchers:
            watcher.end_watch(logs or {})

    def unseen(self) -> dict[int, tuple[int, float, float]]:
        """What an epoch has measured that is over, before the watchers have seen it.

        A callback that stands before this one saves then.

        Returns:
            Watchers, by their place, and for each the epoch, its metric and its rate.
        """
        steps = (self.params or {}).get("steps")
        if not self._logs or self._last + 1 != (steps or self._last + 1):
            return {}
        scheme = self.leads()
        places = {id(watcher): place for place, watcher in enumerate(scheme.watchers)}
        return {
            places[id(watcher)]: (
                self.leader.epoch,
                float(self._logs[watcher.monitor]),
                watcher.value(time),
            )
            for watcher, time in scheme.at_work(self.leader.step)
            if watcher.monitor in self._logs
        }
