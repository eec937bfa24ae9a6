"""The training stage of a trial: how far it goes, what selects, and the loop."""

from __future__ import annotations

import math
import time

from accelerate import Accelerator

from methods import Adapted
from runners import device, processes
from runners.measure.energy import Tally
from runners.plan import halving
from runners.plan.evaluations import evaluation_steps
from runners.plan.spec import TrialSpec
from runners.trials import batches, loop
from runners.trials.kind import Kind
from runners.trials.loop import Trained, Watch
from runners.trials.scoring import Score
from runners.trials.snapshots import Snapshots


def train(
    spec: TrialSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    kind: Kind,
    watch: Watch,
    snapshots: Snapshots | None = None,
    until: int | None = None,
    *,
    alone: bool = True,
) -> Trained:
    """Train a method; the model is left with the weights that were best on the selection split.

    Args:
        spec: the trial.
        accelerator: holds the device and the other processes.
        adapted: the model, on the device.
        kind: has what is trained on, and what selects.
        watch: is told of progress.
        snapshots: of this training, from which it goes on; None keeps none.
        until: the step after which it stops, if it is not the last; the learning rate is that of the whole.
        alone: whether no other trial runs on the machine, so that what its counters tell is of this one.

    Raises:
        DivergenceError: the loss became infinite or not a number.
        PeerError: another process could not go on.
    """
    protocol, metric, rows = spec.protocol, spec.declared.main_metric, kind.sizes.train or 0
    size = protocol.batch_size
    steps = protocol.steps or batches.steps_of(protocol.epochs, rows, size)
    last = min(until or steps, steps)
    rungs = halving.rungs(steps) if spec.halving else ()
    regular = evaluation_steps(protocol.evaluate_every, steps, min(size, rows), kind.selecting())
    evaluate_at = sorted({*regular, *rungs})
    began = time.perf_counter()
    fitting = kind.fitting(last, [*rungs, steps], sum(step <= last for step in evaluate_at))
    waited = time.perf_counter() - began
    # What was computed once for several trials is not counted: nothing then, rather than a part.
    tally = Tally.of(accelerator.device) if alone and not fitting.reused_blocks else Tally()
    device.seed_everything(processes.own_seed(spec.seed))  # nothing above decides what is drawn below
    sign = 1 if metric.higher_is_better else -1

    def main_metric(found: Score) -> float:
        value = found[metric.name]
        return -math.inf if value is None else sign * value

    trained = loop.fit(
        accelerator,
        fitting.model,
        adapted.trained(),
        fitting.loader,
        steps,
        protocol,
        evaluate_at,
        evaluate=fitting.evaluate,
        positions=fitting.positions,
        main_metric=main_metric,
        watch=watch,
        rates=adapted.rates(),
        snapshots=snapshots,
        until=until,
        tally=tally,
    )
    trained.front_seconds, trained.reused_blocks = fitting.front_seconds, fitting.reused_blocks
    trained.evaluation_seconds += fitting.selection_seconds
    trained.recalled_seconds = max(0.0, fitting.front_seconds + fitting.selection_seconds - waited)
    adapted.model.eval()
    device.release(accelerator)
    return trained
