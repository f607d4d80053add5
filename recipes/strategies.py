"""The ways and strategies of transfer learning, as data.

A strategy says from which weights training starts and which phases follow. A phase says which
share of the backbone stays frozen, for how many epochs the rest is trained, and how fast.
Standard library only, so that the command line can list the names without importing Keras.
"""

import math
from dataclasses import asdict, dataclass, replace

from recipes.lookup import find

MOST_EPOCHS = 10  # that the steps of a phase are cut into
CONTINUED = {"share": 0.25, "rate": 0.3, "warmup": 0.1}  # of a phase that is gone on with
LEAST_EPOCHS = 3  # that one may have: fewer steps do not make up for the optimizer's first ones


@dataclass(frozen=True)
class Phase:
    """A stretch of training in which the same layers are trainable.

    Attributes:
        name: what the progress bar and the history call it.
        trainable_from: the share of the backbone's stages, counted from the pictures, that stays
            frozen: 1.0 trains the classifier alone, 0.0 everything. The share is rounded to whole
            stages; a stage is never cut.
        epochs: the number of passes over the training part, at the most.
        learning_rate: the rate of the classifier at the phase's start, for Adam at the batch
            size of 16, which is the default.
        decay: name of the scheme in `callbacks` that leads the rate to zero over the phase.
        warmup: the share of the phase's steps over which the rate first rises from zero, so that
            pretrained weights are not thrown about while Adam's averages are still empty.
        stage_factor: each stage further from the classifier learns at the rate of the one after
            it times this factor (discriminative rates, arXiv 1801.06146).
        patience: epochs without a better validation loss before the phase ends early; of a phase
            that is blended the last epoch counts, and it has them all.
        min_steps: an epoch has at least so many steps: a small training part is passed through
            several times, since what a phase learns depends on its steps.
        steps: about so many steps in all for a hundred pictures, and more as the root of their
            number grows, but `least_passes` at least; the epochs follow from it (`planned`), with
            `epochs` at the most. With 0 the phase has as many epochs as `epochs` says.
        least_passes: through the pictures, where `steps` is given.
        label_smoothing: the share of each label that is spread over all classes.
        update_batch_norm: whether batch normalization trains and moves its statistics. False
            keeps them as they came, in the frozen and in the trained part.
        solved: the classifier is solved, with its penalty chosen by cross-validation, rather than
            trained by steps (`recipes.transfer.solve`): the phase is one epoch, and rates have no
            part in it. Nothing else can be trainable.
        reduced: the share of the epochs, the first ones, in which pictures have 5/7 of the
            model's side: a step then costs half (progressive resizing, arXiv 2104.00298).
        lora_rank: of a network with transformer blocks, the rank of the matrices that are trained
            in place of the kernels of its dense layers (arXiv 2106.09685); what they add up to is
            put into the kernels at the end. The classifier is trained as ever, and norms with
            `update_batch_norm`; all else of the backbone stays as it is. With 0 there are none.
        blended: the phase ends with its last weights, drawn back toward those that it began with
            as far as the validation part asks for (interpolation, arXiv 2109.01903); without it,
            with the weights of its best epoch.

    Example:
        >>> Phase("head", trainable_from=1.0, epochs=20, learning_rate=1e-3).decay
        'cosine_decay'
    """

    name: str
    trainable_from: float
    epochs: int
    learning_rate: float
    decay: str = "cosine_decay"
    warmup: float = 0.0
    stage_factor: float = 1.0
    patience: int = 5
    min_steps: int = 1
    steps: int = 0
    least_passes: float = 3.0
    label_smoothing: float = 0.0
    update_batch_norm: bool = False
    solved: bool = False
    reduced: float = 0.0
    lora_rank: int = 0
    blended: bool = False

    def __post_init__(self):
        if not 0 <= self.trainable_from <= 1:
            raise ValueError(
                f"trainable_from: {self.trainable_from!r} is not a share between 0 (everything "
                "is trained) and 1 (the classifier alone)."
            )
        if self.epochs < 1:
            raise ValueError(f"epochs: {self.epochs!r} is not a number of epochs from 1 up.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate: {self.learning_rate!r} is not positive.")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup: {self.warmup!r} is not a share from 0 to below 1.")
        if not 0 <= self.reduced < 1:
            raise ValueError(f"reduced: {self.reduced!r} is not a share from 0 to below 1.")
        if self.reduced and not self.blended:
            raise ValueError(
                "reduced: epochs on smaller pictures cannot be compared with the others; set "
                "blended, by which the last one counts."
            )
        if not isinstance(self.lora_rank, int) or self.lora_rank < 0:
            raise ValueError(f"lora_rank: {self.lora_rank!r} is not a whole number from 0 up.")
        if self.lora_rank and self.trainable_from == 1:
            raise ValueError(
                "lora_rank: the classifier has no transformer blocks; set trainable_from below 1."
            )
        if self.solved and self.trainable_from < 1:
            raise ValueError("solved: only the classifier can be; set trainable_from to 1.")

    def passes(self, rows: int, batch_size: int) -> int:
        """How often an epoch goes through the training part.

        Example:
            >>> Phase("head", 1.0, epochs=1, learning_rate=1e-3, min_steps=32).passes(100, 32)
            11
        """
        return max(1, -(-self.min_steps * batch_size // rows))

    def planned(self, rows: int, batch_size: int) -> "Phase":
        """The same phase with the epochs that its steps come to on so many pictures.

        Example:
            >>> phase = Phase("all", 0.0, epochs=10, learning_rate=1e-3, steps=80)
            >>> [(p.epochs, p.passes(n, 16)) for n in (30, 100, 400, 5_000)
            ...  for p in [phase.planned(n, 16)]]
            [(8, 3), (6, 2), (6, 1), (3, 1)]
            >>> replace(phase, epochs=1).planned(100, 16).passes(100, 16)
            2
        """
        if not self.steps:
            return self
        total = max(self.least_passes, self.steps * (rows / 100) ** 0.5 * batch_size / rows)
        passes = math.ceil(total / max(self.epochs, MOST_EPOCHS))
        epochs = min(self.epochs, max(1, round(total / passes)))
        min_steps = (passes - 1) * rows // batch_size + 1
        return replace(self, epochs=epochs, min_steps=min_steps, steps=0)

    def first_trainable(self, num_stages: int) -> int:
        """Index of the first stage that is trained; `num_stages` for the classifier alone.

        Example:
            >>> Phase("later", 0.5, epochs=1, learning_rate=1e-4).first_trainable(9)
            4
        """
        return min(int(self.trainable_from * num_stages), num_stages)


@dataclass(frozen=True)
class FineTuneStrategy:
    """From which weights to start, and the phases to train.

    Attributes:
        name: as the user writes it.
        weights: "pretrained", or "initial" for the backbone's own initialization.
        phases: in order; the first trains the classifier unless the start is "initial".
        description: one sentence for people.

    Example:
        >>> get("small_similar").phases[0].trainable_from
        1.0
    """

    name: str
    weights: str
    phases: tuple[Phase, ...]
    description: str

    def with_epochs(self, epochs: int) -> "FineTuneStrategy":
        """The same strategy with each phase at most `epochs` long.

        Example:
            >>> [phase.epochs for phase in get("large_similar").with_epochs(2).phases]
            [1, 2]
        """
        phases = tuple(replace(phase, epochs=min(phase.epochs, epochs)) for phase in self.phases)
        return replace(self, phases=phases)

    def with_rates(self, factor: float) -> "FineTuneStrategy":
        """The same strategy with its learning rates times a factor.

        Example:
            >>> [phase.learning_rate for phase in get("large_similar").with_rates(2).phases]
            [0.002, 0.002]
        """
        phases = tuple(replace(p, learning_rate=p.learning_rate * factor) for p in self.phases)
        return replace(self, phases=phases)

    def scaled(self, share: float) -> "FineTuneStrategy":
        """The same strategy with a share of the epochs of each phase, at least one.

        Example:
            >>> [phase.epochs for phase in get("large_similar").scaled(0.01).phases]
            [1, 1]
        """
        phases = tuple(
            replace(
                phase,
                epochs=max(1, round(phase.epochs * share)),
                steps=math.ceil(phase.steps * share),
            )
            for phase in self.phases
        )
        return replace(self, phases=phases)

    def continued(self) -> "FineTuneStrategy":
        """The last phase alone, at full size, a quarter as long and at three tenths of its rate.

        Example:
            >>> again = get("large_similar").continued()
            >>> [(phase.name, phase.steps, phase.reduced) for phase in again.phases]
            [('everything', 20, 0.0)]
            >>> [again.phases[0].planned(n, batch_size=16).epochs for n in (100, 400, 5_000)]
            [3, 2, 1]
        """
        last, share = self.phases[-1], CONTINUED["share"]
        if last.steps:
            epochs = max(last.epochs, LEAST_EPOCHS)
        else:
            epochs = min(last.epochs, max(round(share * last.epochs), LEAST_EPOCHS))
        last = replace(
            last,
            epochs=epochs,
            steps=math.ceil(share * last.steps),
            least_passes=1.0,
            learning_rate=last.learning_rate * CONTINUED["rate"],
            warmup=CONTINUED["warmup"],
            reduced=0.0,
        )
        return replace(self, phases=(last,))

    def to_dict(self) -> dict:
        """The strategy as plain values, for a run's JSON file; `from_dict` reads it."""
        return {**asdict(self), "phases": [asdict(phase) for phase in self.phases]}

    @classmethod
    def from_dict(cls, values: dict) -> "FineTuneStrategy":
        """The strategy that `to_dict` wrote."""
        others = dict(values)
        phases = tuple(Phase(**phase) for phase in others.pop("phases"))
        return cls(phases=phases, **others)


HEAD = Phase("classifier", trainable_from=1.0, epochs=1, learning_rate=1e-3, solved=True)
FINE_TUNING = {
    "epochs": MOST_EPOCHS,
    "learning_rate": 1e-3,
    "warmup": 0.15,
    "stage_factor": 0.85,
    "steps": 80,
    "label_smoothing": 0.1,
    "reduced": 0.8,
    "blended": True,
}

STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        FineTuneStrategy(
            "small_similar",
            "pretrained",
            (HEAD,),
            "freeze the base and solve the classifier",
        ),
        FineTuneStrategy(
            "small_dissimilar",
            "pretrained",
            (
                HEAD,
                Phase("later stages", trainable_from=0.5, **FINE_TUNING),
            ),
            "solve the classifier, then train the later stages with it, the first ones stay frozen",
        ),
        FineTuneStrategy(
            "large_similar",
            "pretrained",
            (
                HEAD,
                Phase("everything", trainable_from=0.0, **FINE_TUNING),
            ),
            "solve the classifier, then train the whole network from the pretrained weights",
        ),
        FineTuneStrategy(
            "large_dissimilar",
            "initial",
            (
                Phase(
                    "everything",
                    trainable_from=0.0,
                    epochs=60,
                    learning_rate=2e-3,
                    patience=10,
                    min_steps=16,
                    label_smoothing=0.1,
                    update_batch_norm=True,
                ),
            ),
            "train the whole network from its own initialization",
        ),
    )
}

WAYS = {
    "predict_only": FineTuneStrategy(
        "predict_only", "pretrained", (), "use the pretrained model as it is"
    ),
    "head_only": replace(STRATEGIES["small_similar"], name="head_only"),
    "full": replace(STRATEGIES["large_similar"], name="full"),
    "lora": FineTuneStrategy(
        "lora",
        "pretrained",
        (
            HEAD,
            Phase("low rank", trainable_from=0.0, lora_rank=8, **{**FINE_TUNING, "reduced": 0.0}),
        ),
        "solve the classifier, then train matrices of a low rank beside the dense layers of all "
        "transformer blocks",
    ),
}

AUTO, RACE = "auto", "race"
NAMED = (*STRATEGIES, "head_only", "full", "lora")


def names() -> list[str]:
    """Every name that `fit_folder` takes as its strategy.

    Example:
        >>> "small_similar" in names() and "auto" in names()
        True
    """
    return [*NAMED, AUTO, RACE]


def get(name: str | FineTuneStrategy) -> FineTuneStrategy:
    """The strategy or way of a name; a `FineTuneStrategy` passes through.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> get("large_dissimilar").weights
        'initial'
    """
    if isinstance(name, FineTuneStrategy):
        return name
    return find(name, {**STRATEGIES, **WAYS}, what="strategy")
