"""What is done before the first step: the batch size, the phases, what has no part in them."""

from dataclasses import asdict, replace
from functools import partial

from recipes import strategies
from recipes.augmentation import Augmentation
from recipes.choosing import choose
from recipes.files import read_json, write_json
from recipes.rules import AUTO
from recipes.run import Decision
from recipes.settings import Settings
from recipes.strategies import FineTuneStrategy
from recipes.transfer import parallel, sizing
from recipes.transfer.clock import Clock
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel
from recipes.transfer.sizing import Sized
from recipes.transfer.timing import Pace
from recipes.work_folder import BATCH_SIZE, PLAN, WorkFolder


def sized(
    settings: Settings, training: TrainingData, work: WorkFolder
) -> tuple[Settings, Sized | None]:
    """The settings with a number for the batch size, and how it was found where it was open.

    An interrupted run keeps to what was measured when it began.

    Args:
        settings: of the training.
        training: the part "train".
        work: where it is noted.
    """
    if settings.training.batch_size != AUTO:
        return settings, None
    note, plan = work.folder / BATCH_SIZE, choose.named(settings)
    known = parallel.from_first(read_json(note) if note.exists() else None)
    if known is None:
        start = partial(choose.start, settings, training.task, plan)
        found = sizing.sized(start, plan, training, parallel.current().count)
        known = parallel.from_first(asdict(found))
        write_json(note, known)
    size = Sized(**known)
    numbered = replace(settings.training, batch_size=size.batch_size)
    return replace(settings, training=numbered), size


def unmixed(
    augmentation: Augmentation | None, plan: FineTuneStrategy, transfer: TransferModel
) -> str:
    """A line where mixing is asked for and no phase can have it; otherwise an empty text.

    Args:
        augmentation: what is asked for.
        plan: the phases.
        transfer: the model.
    """
    if augmentation is None or not augmentation.mixes:
        return ""
    firsts = [p.first_trainable(transfer.num_stages) for p in plan.phases if not p.solved]
    if 0 in firsts:
        return ""
    return f"mixup and CutMix need trainable inputs: they have no part in {plan.name}"


def planned(
    settings: Settings,
    decision: Decision,
    pace: Pace,
    clock: Clock,
    work: WorkFolder,
    measured: float,
    rates: float,
) -> tuple[FineTuneStrategy, bool, str]:
    """The phases to train, whether all is learned anew in the end, and what time left out of them.

    An interrupted run keeps to what was planned when it began.

    Args:
        settings: of the training.
        decision: for a strategy.
        pace: of the training.
        clock: says how much time there is.
        work: where the plan is noted.
        measured: seconds of the expected ones that have been used already.
        rates: by what learning rates are multiplied.
    """
    note = work.folder / PLAN
    known = parallel.from_first(read_json(note) if note.exists() else None)
    if known is None:
        plan = (choose.named(settings) or strategies.get(decision.strategy)).with_rates(rates)
        if settings.training.epochs:
            plan = plan.with_epochs(settings.training.epochs)
        refit, left_out = choose.refitted(settings, plan, pace.data), ""
        if clock.limit is not None:
            whole = (plan, refit)
            plan, refit = pace.fitted(plan, refit, clock.left + measured)
            if (plan, refit) != whole:
                epochs = ", ".join(f"{phase.name} {phase.epochs}" for phase in plan.phases)
                again = "" if refit else ", nothing learned from the validation part"
                left_out = f"there is time for epochs at the most {epochs}{again}"
        known = {"plan": plan.to_dict(), "refit": refit, "left_out": left_out}
        known = parallel.from_first(known)
        write_json(note, known)
    return FineTuneStrategy.from_dict(known["plan"]), known["refit"], known.get("left_out", "")
