"""The last stage of a trial: a record whose score is known gets its costs, now or later, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from accelerate import Accelerator

import methods
from methods import Adapted
from reports.records.schema import Record
from runners import device, processes
from runners.failures import describe
from runners.measure import costs, step_memory
from runners.plan.spec import TrialSpec
from runners.trials import adapting, forgetting, kept, kinds

UNFINISHED: Final = "not measured yet: the run ended before"
"""A gap of a trial whose costs nobody has tried to measure; the next run fills it."""


def awaiting(record: Record, spec: TrialSpec, elsewhere: str | None = None) -> Record:
    """The record with a gap for each cost that is asked for and not there.

    Args:
        record: of a trial.
        spec: the trial.
        elsewhere: the trial of the same setting whose record has the costs already, if there is one.
    """
    if spec.costs is None or spec.search or record.status != "completed":
        return record
    if record.costs_from is not None and record.costs_from != elsewhere:  # whose record is not there any more
        record = record.model_copy(update={"costs_from": None})
    own = {"forgetting": UNFINISHED} if record.forgetting is None and forgetting.asked(spec) else {}
    own |= {part: why for part, why in record.gaps.items() if part == "forgetting"}
    timed = record.latency or record.decoding
    if elsewhere and record.memory is None and timed is None:
        return record.model_copy(update={"costs_from": elsewhere, "gaps": own})
    missing = {part: UNFINISHED for part in costs.parts_of(spec) if getattr(record, part) is None} | own
    # Where nothing tells the FLOPs, that is an answer: no other part says so if it was not asked.
    if record.compute is None and timed is not None:
        missing.pop("compute")
    return record.model_copy(update={"gaps": {**missing, **record.gaps}})


def to_fill(record: Record, retry: bool) -> bool:
    """Whether a record has gaps that a run fills: with ``retry`` those that failed as well."""
    return any(retry or why == UNFINISHED for why in record.gaps.values())


def measure(
    record: Record, spec: TrialSpec, accelerator: Accelerator, adapted: Adapted, *, trained: bool = True
) -> Record:
    """The record with its gaps filled, as far as that can be done.

    The first process measures, and the others wait for its record: what fails there is a gap.

    Args:
        record: of a completed trial.
        spec: the trial.
        accelerator: holds the device and the other processes.
        adapted: the model, on the device.
        trained: whether it has the weights of the trial.
    """
    return processes.by_first(lambda: _attempted(record, spec, accelerator, adapted, trained))


def fill(record: Record, spec: TrialSpec, folder: Path) -> Record:
    """Measure what a record of a completed trial lacks, without training.

    The trained method is read where it was kept or waits. No cost but the rounding of a merge depends on the
    values of weights: otherwise the method is as new. Only the first process needs the model.
    """
    return processes.by_first(lambda: _filled(record, spec, folder))


def _filled(record: Record, spec: TrialSpec, folder: Path) -> Record:
    accelerator = device.accelerator()
    task = spec.declared
    try:
        adapted = adapting.adapt(spec, task)
        saved = kept.trained(folder, spec)
        if saved is not None:
            adapted.take(methods.Checkpoint.read(saved))
        adapted.model.to(accelerator.device).eval()
        return _attempted(record, spec, accelerator, adapted, saved is not None)
    except Exception as error:
        return record.model_copy(update={"gaps": dict.fromkeys(record.gaps, describe(error))})
    finally:
        device.free(accelerator.device)


def _attempted(
    record: Record, spec: TrialSpec, accelerator: Accelerator, adapted: Adapted, trained: bool
) -> Record:
    try:
        return _measured(record, spec, accelerator, adapted, trained) if record.gaps else record
    except Exception as error:
        return record.model_copy(update={"gaps": dict.fromkeys(record.gaps, describe(error))})


def _measured(
    record: Record, spec: TrialSpec, accelerator: Accelerator, adapted: Adapted, trained: bool
) -> Record:
    task = spec.declared
    kind, update = kinds.of(spec)(spec, accelerator, adapted), dict[str, object]()
    if "memory" in record.gaps:
        longest = kind.longest(processes.largest_share(spec.protocol.batch_size))
        as_trained = kind.as_trained()
        update["memory"] = step_memory.measure(spec.protocol, accelerator, adapted, as_trained, longest)
    gaps: dict[str, str] = {}
    if "forgetting" in record.gaps:
        try:
            update["forgetting"] = forgetting.again(spec, adapted, trained)
        except Exception as error:
            gaps["forgetting"] = describe(error)
    one = kind.one_input(costs.input_length(spec, adapted.max_input_length))
    assert record.training is not None  # of a completed trial
    found = costs.measure(
        *(spec, task, accelerator, adapted, one, record.training, record.gaps.keys()),
        trained=trained,
        targets=kind.targets(),
    )
    return record.model_copy(update={**update, **found.parts, "gaps": gaps | found.gaps})
