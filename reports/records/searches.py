"""Which of the settings that a search tried it chooses: one rule, for the search and for who checks it."""

from __future__ import annotations

from collections.abc import Sequence

from reports.records.schema import SearchStep

RATE = "learning_rate"

_EXACT = 1e-9
"""What two scores may differ by since they were rounded."""


def choose(
    steps: Sequence[SearchStep], *, higher_is_better: bool, tolerance: float = 0.0
) -> SearchStep | None:
    """The setting that a search chooses; None where none has a score.

    It is one of those that were trained longest, which are those trained whole unless each of them failed:
    the best of them, the earliest among equals. With a tolerance it is the one of the lowest learning rate
    among those that are no further behind the best, where all of these have a rate.

    Args:
        steps: what was tried, in order.
        higher_is_better: of the scores.
        tolerance: in units of the score, at least 0.
    """
    scored = [(step, step.score) for step in steps if step.score is not None]
    longest = max((step.steps or 0 for step, _ in scored), default=0)
    scores = [(step, score) for step, score in scored if (step.steps or 0) == longest]
    if not scores:
        return None
    best, top = (max if higher_is_better else min)(scores, key=lambda pair: pair[1])
    near = [step for step, score in scores if abs(top - score) <= tolerance + _EXACT]
    if not tolerance or any(RATE not in step.values for step in near):
        return best
    return min(near, key=lambda step: float(step.values[RATE]))
