"""Hand-made trials: one per seed of a method and setting, with the scores given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reports.schema import Record

Trials = Callable[..., list[Record]]


@pytest.fixture
def trials(make_record: Callable[..., Record]) -> Trials:
    def make(
        method: str,
        scores: Sequence[float | None],
        *,
        selection: float | None = None,
        learning_rate: float = 1e-3,
        **changes: Any,
    ) -> list[Record]:
        """A score of None is a run that diverged; ``selection`` replaces the selection split's score."""
        found = []
        for seed, score in enumerate(scores):
            record = make_record(
                method,
                seed=seed,
                score=score,
                status="completed" if score is not None else "diverged",
                learning_rate=learning_rate,
                **changes,
            )
            if selection is not None and record.scores and record.task:
                chosen = {record.task.main_metric: selection}
                scores_part = record.scores.model_copy(update={"selection": chosen})
                record = record.model_copy(update={"scores": scores_part})
            found.append(record)
        return found

    return make
