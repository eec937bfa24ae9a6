"""One batch whose rows belong to several tasks, served in every way, interleaved."""

from __future__ import annotations

import numpy as np
import torch

from reports.records.serving_schema import Paired, ServedBatch
from runners.measure import timing
from runners.measure.serving.draws import Draws
from runners.measure.serving.ways import Inputs, Models, Rows, contenders, serve
from runners.plan.serving_study import Asked

MOST_OFF = 0.01
"""Share of the largest answer by which ways may differ; ten times as much in half precision."""


def served_batch(
    served: Models, inputs: Inputs, tasks: int, asked: Asked, device: torch.device
) -> ServedBatch:
    """Time every way of serving batches of these inputs, until the ratios are precise or time is up.

    Args:
        served: what serves; it holds the tasks.
        inputs: tokens, (rows x length), and settings.
        tasks: that rows draw from.
        asked: the mix, how precise, how long.
        device: of the models.

    Raises:
        MethodError: the model cannot mix the method's tasks in a batch.
        RuntimeError: the ways do not compute the same.
    """
    off = _difference(served, inputs, tasks, asked)
    calls, before, mixed = contenders(served, inputs, asked.mix, tasks, asked.seed)
    found = timing.measure_until(
        calls,
        reference="base",
        device=device,
        width=asked.width,
        seconds=asked.seconds,
        seed=asked.seed,
        prepare=before,
    )
    rng = np.random.default_rng(asked.seed)

    def paired(one: str, other: str) -> Paired:
        row = timing.row(found.nanoseconds[one], found.nanoseconds[other], rng)
        return Paired(**row.model_dump(include={"ratio", "ratio_low", "ratio_high"}))

    rows, length = inputs["input_ids"].shape
    merges = served.merged is not None
    return ServedBatch(
        batch_size=rows,
        sequence_length=length,
        tasks=tasks,
        distinct_tasks=float(np.mean(mixed.distinct[-found.rounds :])),
        rounds=found.rounds,
        widest=found.widest,
        base_ms_p50=found.rows["base"].latency_ms_p50,
        control=found.rows["base again"],
        one_task=found.rows["one task"],
        mixed=found.rows["mixed"],
        in_turn=found.rows["in turn"],
        merged=found.rows.get("merged"),
        merged_in_turn=found.rows.get("merged in turn"),
        mixed_to_in_turn=paired("mixed", "in turn"),
        mixed_to_merged_in_turn=paired("mixed", "merged in turn") if merges else None,
        one_task_to_merged=paired("one task", "merged") if merges else None,
        mixed_difference=off,
    )


def _difference(served: Models, inputs: Inputs, tasks: int, asked: Asked) -> float:
    """The largest difference of an answer between a mixed batch and task after task."""
    rows = Rows(inputs, Draws(asked.mix, tasks, len(inputs["input_ids"]), asked.seed))
    rows.draw()
    with torch.inference_mode():
        mixed = serve("mixed", served, rows)
        unmerged = _largest(mixed, serve("in turn", served, rows))
        merged = 0.0 if served.merged is None else _largest(mixed, serve("merged in turn", served, rows))
    precise = mixed.dtype == torch.float32
    most = MOST_OFF * mixed.float().abs().max().item() * (1 if precise else 10)
    if not max(unmerged, merged) <= most:
        raise RuntimeError(f"a mixed batch differs from task after task by {max(unmerged, merged):g}.")
    return unmerged


def _largest(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.float() - other.float()).abs().max())
