"""Searches for an intrinsic dimension as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.stats.intrinsic import Curve


def intrinsic_frame(found: Sequence[Curve]) -> pd.DataFrame:
    """One row per curve and dimension, with raw numbers."""
    return pd.DataFrame(
        [
            {
                "model": curve.model,
                "task": curve.task,
                "method": curve.method,
                "metric": curve.metric,
                "head_inside": curve.head_inside,
                "full_score": curve.reference.full.value,
                "floor_score": curve.reference.floor,
                "threshold_of_score": curve.reference.threshold("score"),
                "threshold_of_gain": curve.reference.threshold("gain"),
                "dimension": one.dimension,
                "score": one.score.value,
                "score_low": one.score.interval.low if one.score.interval else None,
                "score_high": one.score.interval.high if one.score.interval else None,
                "n_seeds": one.score.n,
                "learning_rate": one.learning_rate,
                "n_lost": one.lost,
                "origin": curve.origin.kind,
                "submitter": curve.origin.by or None,
            }
            for curve in found
            for one in curve.points
        ]
    )
