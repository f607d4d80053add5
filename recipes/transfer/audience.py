"""The user's own callbacks, which hear of one training where there are several phases."""

from collections.abc import Mapping, Sequence
from typing import final

import keras

from recipes.strategies import Phase
from recipes.transfer.state import State


@final
class Audience:
    """Callbacks that are called through every phase, with one running count of epochs.

    They are given the whole model, pictures to probabilities, whichever part is in training, and
    the phase's name among the logs (`keras.callbacks.TensorBoard`, which takes numbers only, goes
    without it). They hear of an epoch after its state was saved: one that fails ends the run, and
    nothing is lost. One that asks the training to stop ends the phase.

    Args:
        listeners: the callbacks.
        model: the whole model.
        state: where the training stands.
    """

    def __init__(
        self, listeners: Sequence[keras.callbacks.Callback], model: keras.Model, state: State
    ):
        self.listeners = list(listeners)
        self.model = model
        self.state = state
        self._begun = False

    def during(self, phase: Phase) -> keras.callbacks.Callback:
        """What passes a phase's events on."""
        return _Relay(self, phase)

    def begin(self, part: keras.Model, params: dict) -> None:
        """Show the listeners the model with its optimizer, and begin where nothing has begun."""
        if not self.listeners:
            return
        if part is not self.model:
            self.model.compile(part.optimizer, auto_scale_loss=False)
        self.model.stop_training = False
        for listener in self.listeners:
            listener.set_params(params)
        if not self._begun:
            for listener in self.listeners:
                listener.set_model(self.model)
            self.tell("on_train_begin")
        self._begun = True

    def tell(self, event: str, *arguments) -> None:
        """Call a method of each listener."""
        for listener in self.listeners:
            getattr(listener, event)(*arguments)

    def tell_epoch(self, number: int, phase: Phase, logs: Mapping[str, float]) -> None:
        """Tell of a finished epoch, with the phase's name among the logs."""
        for listener in self.listeners:
            takes_texts = not isinstance(listener, keras.callbacks.TensorBoard)
            told = {**logs, "phase": phase.name} if takes_texts else dict(logs)
            listener.on_epoch_end(number, told)

    def end(self) -> None:
        """All phases are over."""
        if self._begun:
            self.tell("on_train_end")


@final
class _Relay(keras.callbacks.Callback):
    """Passes the events of a phase on to the listeners."""

    def __init__(self, audience: Audience, phase: Phase):
        super().__init__()
        self.audience = audience
        self.phase = phase
        self.earlier = 0

    def on_train_begin(self, logs=None):
        """Epochs of the phases before are counted."""
        state = self.audience.state
        self.earlier = len(state.history) - state.epoch
        self.audience.begin(self.model, self.params)

    def on_epoch_begin(self, epoch, logs=None):
        """With the running count."""
        self.audience.tell("on_epoch_begin", self.earlier + epoch, dict(logs or {}))

    def on_train_batch_begin(self, batch, logs=None):
        """As it is."""
        self.audience.tell("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """As it is."""
        self.audience.tell("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        """With the running count, and the phase's name in the logs."""
        self.audience.tell_epoch(self.earlier + epoch, self.phase, logs or {})
        if self.audience.listeners and self.audience.model.stop_training:
            self.audience.state.cut_short = self.model.stop_training = True
