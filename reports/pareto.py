"""Which points no other point beats."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float | None, float | None]
"""(cost, score); a point with an unknown part is never on the front and beats nobody."""


def pareto_front(points: Sequence[Point], *, higher_is_better: bool = True) -> list[bool]:
    """For each (cost, score): is there no other point that is as good in both and better in one?

    Cost is minimised. Points equal in both are on the front together. One sort, O(n log n).
    """
    sign = -1.0 if higher_is_better else 1.0
    known = [
        (cost, sign * score, index)
        for index, (cost, score) in enumerate(points)
        if cost is not None and score is not None
    ]
    front = [False] * len(points)
    best_cost, best_score = None, None
    for cost, score, index in sorted(known):
        if best_score is None or score < best_score:
            best_cost, best_score = cost, score
        front[index] = (cost, score) == (best_cost, best_score)
    return front
