"""Comparisons of two methods as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.stats.standing import Standing
from reports.stats.verdict import Verdict

_DIFFERENCE = (
    *("difference", "difference_low", "difference_high", "detectable"),
    *("p_of_seeds", "n_pairs", "n_tasks", "n_tasks_ahead"),
)


def comparisons_frame(found: Sequence[Standing]) -> pd.DataFrame:
    """Every comparison of two methods as a row, in raw numbers; the intervals of a standing hold at once."""
    return pd.DataFrame(
        [
            {
                "model": item.model,
                "suite": item.suite,
                "reported_by_others": item.reported,
                "tasks": ", ".join(item.tasks),
                "first": verdict.first,
                "second": verdict.second,
                "unit": verdict.unit,
                "decision": verdict.decision,
                "decision_of_second": verdict.swapped.decision,
                "margin": verdict.margin,
                **_difference(verdict),
                "interval_over": verdict.basis,
                "n_comparisons": verdict.comparisons,
                "n_lost_first": verdict.risks[0].lost,
                "n_runs_first": verdict.risks[0].seeds,
                "n_lost_second": verdict.risks[1].lost,
                "n_runs_second": verdict.risks[1].seeds,
                "learns_more_often": {1: verdict.first, -1: verdict.second}.get(verdict.steadier),
            }
            for item in found
            for verdict in item.verdicts
        ]
    )


def _difference(verdict: Verdict) -> dict[str, float | int | str | None]:
    found = verdict.difference
    if found is None:
        return dict.fromkeys(_DIFFERENCE)
    ends = found.interval
    values = (found.value, ends.low if ends else None, ends.high if ends else None, found.detectable)
    return dict(zip(_DIFFERENCE, (*values, found.p, found.pairs, found.tasks, found.ahead), strict=True))
