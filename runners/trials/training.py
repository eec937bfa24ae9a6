"""The training stage of a trial: its batches, what selects, and the loop over them."""

from __future__ import annotations

import math

from accelerate import Accelerator

from methods import Adapted
from runners import device, processes
from runners.plan import halving
from runners.plan.evaluations import evaluation_steps
from runners.plan.spec import TrialSpec
from runners.trials import batches, frozen, loop, states
from runners.trials.loading import Splits
from runners.trials.loop import Trained, Watch
from runners.trials.scoring import Score, score
from runners.trials.snapshots import Snapshots
from tasks.spec import TaskSpec


def train(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    splits: Splits,
    watch: Watch,
    snapshots: Snapshots | None = None,
    until: int | None = None,
) -> Trained:
    """Train a method; the model is left with the weights that were best on the selection split.

    Args:
        spec: the trial.
        task: its task.
        accelerator: holds the device and the other processes.
        adapted: the model, on the device.
        splits: what is trained on, and what selects.
        watch: is told of progress.
        snapshots: of this training, from which it goes on; None keeps none.
        until: the step after which it stops, if it is not the last; the learning rate is that of the whole.

    Raises:
        DivergenceError: the loss became infinite or not a number.
        PeerError: another process could not go on.
    """
    protocol, tokenizer = spec.protocol, batches.tokenizer(spec.model)
    size = protocol.batch_size
    steps = protocol.steps or batches.steps_of(protocol.epochs, len(splits.train), size)
    last = min(until or steps, steps)
    examples = min(size, len(splits.train))
    rungs = halving.rungs(steps) if spec.halving else ()
    regular = evaluation_steps(protocol.evaluate_every, steps, examples, len(splits.selection))
    evaluate_at = sorted({*regular, *rungs})
    model = frozen.as_trained(adapted, splits.train, spec.model)
    reads = states.used(splits.train, size, [*rungs, steps], spec.seed)
    scored = sum(step <= last for step in evaluate_at)
    kept = states.keep(model, splits, spec.model, protocol, reads, last, scored)
    device.seed_everything(processes.own_seed(spec.seed))  # nothing above decides what is drawn below
    selection = batches.scoring_loader(splits.selection, tokenizer, states=kept.selection)
    pinned = device.pins(accelerator.device)
    sign = 1 if task.main_metric.higher_is_better else -1

    def main_metric(found: Score) -> float:
        value = found[task.main_metric.name]
        return -math.inf if value is None else sign * value

    trained = loop.fit(
        accelerator,
        model,
        adapted.trained(),
        lambda done: batches.training_loader(
            splits.train, tokenizer, size, last, spec.seed, done, pinned, kept.train
        ),
        steps,
        protocol,
        evaluate_at,
        evaluate=lambda: score(accelerator, model, selection, task),
        main_metric=main_metric,
        watch=watch,
        rates=adapted.rates(),
        snapshots=snapshots,
        until=until,
    )
    trained.front_seconds, trained.reused_blocks = kept.train_seconds, kept.blocks
    trained.evaluation_seconds += kept.selection_seconds
    adapted.model.eval()
    device.release(accelerator)
    return trained
