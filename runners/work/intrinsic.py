"""Running a search for the intrinsic dimension of tasks; see :mod:`runners.plan.intrinsic`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from reports.records.schema import Record
from reports.stats.intrinsic import THRESHOLDS, Point, best_rate, point, reference
from reports.stats.reach import suffices
from runners.plan.intrinsic import IntrinsicStudy, next_dimension
from runners.plan.spec import TrialSpec
from runners.trials.jobs import Executor
from runners.work import checking, execute


def run(
    study: IntrinsicStudy,
    folder: Path,
    observers: list[execute.Observer],
    *,
    say: Callable[[str], None],
    retry: bool = False,
    how: execute.How | None = None,
    executor: Executor | None = None,
) -> list[Record]:
    """Run the searches; return the records of all trials that they needed.

    Args:
        study: what to search.
        folder: where the records are.
        observers: are told what happens.
        say: is told in a sentence why a search ended early.
        retry: run again what failed or ran out of memory.
        how: how it is run.
        executor: where it is run; None for here.
    """
    checking.check(study.step(search.references[0] for search in study.searches))
    done: dict[str, Record] = {}

    def trials(specs: Iterable[TrialSpec]) -> list[Record]:
        records = execute.run_study(
            study.step(specs), folder, observers, retry=retry, how=how, executor=executor
        )
        done.update((record.trial_id, record) for record in records)
        return records

    for search in study.searches:
        base = reference(trials(search.references))
        if base.full.value is None:
            say(
                f"{search.task}: no trial of full fine-tuning has a score, so there is nothing to search for."
            )
            continue
        tried: dict[int, Point] = {}
        for of in THRESHOLDS:
            if base.threshold(of) is None:
                say(f"{search.task}: full fine-tuning leaves no {of} of which 90 % could be searched for.")
                continue
            while True:
                passed = {d: suffices(base.gap(found, of)) for d, found in tried.items()}
                if (dimension := next_dimension(search.dimensions, passed)) is None:
                    break
                one = point(dimension, _best(search.inside[dimension], trials), base.floor)
                tried[dimension] = one
                if one.score.value is None:
                    say(f"{search.task}: no trial with d = {dimension:,} has a score: it counts as a miss.")
    return list(done.values())


def _best(
    rates: tuple[tuple[TrialSpec, ...], ...], trials: Callable[[Iterable[TrialSpec]], list[Record]]
) -> list[Record]:
    """Run one dimension: every rate with the first seed, the best of them with the others."""
    (best,) = best_rate(trials(specs[0] for specs in rates))
    chosen = next(specs for specs in rates if specs[0].trial_id == best.trial_id)
    return trials(chosen)
