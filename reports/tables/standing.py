"""Comparisons of two methods as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.stats.standing import Standing


def comparisons_frame(found: Sequence[Standing]) -> pd.DataFrame:
    """Every comparison of two methods as a row, with raw numbers."""
    return pd.DataFrame(
        [
            {
                "model": item.model,
                "suite": item.suite,
                "tasks": ", ".join(item.tasks),
                "first": verdict.first,
                "second": verdict.second,
                "difference": verdict.difference.value,
                "difference_low": verdict.difference.interval.low if verdict.difference.interval else None,
                "difference_high": verdict.difference.interval.high if verdict.difference.interval else None,
                "n_pairs": verdict.pairs,
                "n_tasks": verdict.tasks,
                "n_comparisons": verdict.comparisons,
                "p": verdict.p,
                "p_holm": verdict.adjusted_p,
                "smallest_p": verdict.smallest_p,
                "decision": verdict.decision,
            }
            for item in found
            for verdict in item.verdicts
        ]
    )
