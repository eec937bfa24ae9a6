"""One number for what a method costs, with its weights in sight."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from reports.errors import RecordError
from reports.stats.aggregate import Row
from reports.stats.sections import Section


@dataclass(frozen=True)
class Costs:
    """What a method costs; unknown is None."""

    peak_training_bytes: float | None
    training_seconds: float | None
    latency: float | None
    """Inference time at batch 1, in any unit."""
    checkpoint_bytes: float | None
    trainable_parameters: float | None


@dataclass(frozen=True)
class Weights:
    """How much each cost weighs; only their proportions matter.

    Memory decides on which machine a method runs at all, and time what a run costs: they weigh most. Latency
    is paid with every request, after training. Checkpoint and parameters are nearly the same number, 100
    times smaller than full fine-tuning's with almost any method: together they weigh as much as latency, so
    that they do not drown the rest.
    """

    peak_training_bytes: float = 0.3
    training_seconds: float = 0.3
    latency: float = 0.2
    checkpoint_bytes: float = 0.1
    trainable_parameters: float = 0.1

    def __post_init__(self) -> None:
        """Refuse weights that define no mean."""
        values = [getattr(self, field.name) for field in fields(self)]
        if not all(math.isfinite(value) and value >= 0 for value in values) or not any(values):
            raise RecordError(f"the cost weights are {values}, expected numbers from 0 up, one above 0.")


WEIGHTS = Weights()


@dataclass(frozen=True)
class CostScore:
    """A method's cost relative to full fine-tuning: 1 costs as much, 0.5 half of it."""

    value: float | None
    ratios: dict[str, float | None]
    """Each cost relative to the reference's."""
    missing: tuple[str, ...]
    """Costs with a weight that one of the two lacks (or has as 0); with any of these there is no score."""


def cost_score(costs: Costs, reference: Costs, weights: Weights = WEIGHTS) -> CostScore:
    """The weighted geometric mean of the ratios to the reference: exp(Σ wᵢ ln(cᵢ / rᵢ) / Σ wᵢ).

    A geometric mean, because ratios multiply: which of two methods is cheaper, and by which factor, does
    not depend on the reference (Fleming & Wallace 1986, doi 10.1145/5666.5673). The weights are a choice,
    not a measurement. The score of a task is kept out of it, unlike in PEFT-Bench's PSCP (arXiv
    2511.21285): what a method costs does not depend on how well it works.
    """
    names = [field.name for field in fields(Costs)]
    ratios = {name: _ratio(getattr(costs, name), getattr(reference, name)) for name in names}
    used = {name: getattr(weights, name) for name in names if getattr(weights, name) > 0}
    missing = tuple(name for name in used if ratios[name] is None)
    logs = [weight * math.log(ratio) for name, weight in used.items() if (ratio := ratios[name]) is not None]
    value = None if missing else math.exp(math.fsum(logs) / math.fsum(used.values()))
    return CostScore(value, ratios, missing)


def section_costs(section: Section, weights: Weights = WEIGHTS) -> dict[str, CostScore]:
    """Each row's cost by its label, relative to the row that trains all of the base: full fine-tuning.

    Of several such rows the best-scoring one; without any there are no costs.
    """
    reference = next((row for row in section.rows if row.trainable_share == 1), None)
    if reference is None:
        return {}
    base = row_costs(reference)
    return {row.label: cost_score(row_costs(row), base, weights) for row in section.rows}


def row_costs(row: Row) -> Costs:
    """The costs of a row; a method that merges is deployed merged, so its latency is the merged one."""
    latency = row.merged or row.unmerged
    return Costs(
        peak_training_bytes=row.peak_training_bytes,
        training_seconds=row.training_seconds,
        latency=latency.value if latency else None,
        checkpoint_bytes=row.checkpoint_bytes,
        trainable_parameters=row.trainable_parameters,
    )


def weights_told(weights: Weights = WEIGHTS) -> str:
    """The weights in words: `peak training memory 30 %, ...`."""
    names = {
        "peak_training_bytes": "peak training memory",
        "training_seconds": "training time",
        "latency": "latency (merged where the method merges)",
        "checkpoint_bytes": "checkpoint",
        "trainable_parameters": "trainable parameters",
    }
    total = math.fsum(getattr(weights, field) for field in names)
    return ", ".join(f"{name} {100 * getattr(weights, field) / total:.0f} %" for field, name in names.items())


def _ratio(value: float | None, reference: float | None) -> float | None:
    if value is None or reference is None or value <= 0 or reference <= 0:
        return None
    return value / reference
