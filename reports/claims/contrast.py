"""A weighted sum of groups, paired by seed: one number, a difference, or a difference of differences."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from reports.claims.finding import Finding, Plot, Point, undecided
from reports.claims.region import Region
from reports.claims.select import SCORES, Key, Pool, Term, Where, check_expression
from reports.records.schema import Record
from reports.stats.estimate import mean_interval, stratified_mean
from reports.stats.p_values import sign_flip_test

LEAST_REFERENCE = 0.05
"""A mean below which nothing is divided by it: a share of what is almost nothing says nothing."""


class Rule(Region):
    """Σ weight · measure over the groups, computed for each seed; its t interval over seeds decides.

    Scores that are the same with every seed give no interval, and so no verdict; bytes and counts do. Nor do
    scores of which some are of runs that learned nothing.

    With several tasks the sum is made within each task and averaged over them (``stratified_mean``). With
    ``across_tasks`` the groups are on different tasks, and share the seed only.
    """

    kind: Literal["contrast"]
    measure: str = Field("score", description="score, gained, or numbers of a record such as a.b / c.d")
    what: str = Field(description="what the sum is, to begin a sentence with")
    groups: list[Term] = Field(min_length=1)
    choose: str | None = Field(None, description="setting to choose by the selection split, in every group")
    relative_to: Where | None = Field(
        None, description="records by whose mean on the same task every value is divided; it counts as known"
    )
    across_tasks: bool = False
    decided_by: Literal["interval", "permutation"] = Field(
        "interval", description="permutation: the sign-flip test has to agree, at 5 %, with Holm's correction"
    )

    @field_validator("measure", "choose")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        return value if value is None or value in SCORES else check_expression(value)


def evaluate(rule: Rule, pool: Pool) -> Finding:
    """Decide a :class:`Rule`."""
    groups = [pool.pick(term.where, rule.choose) for term in rule.groups]
    values = [pool.values(records, rule.measure) for records in groups]
    missing = [term.name for term, found in zip(rule.groups, values, strict=True) if not found]
    if missing:
        return undecided(f"{rule.what}: no trial of {missing[0]} has been measured.")
    if rule.relative_to is not None:
        against = pool.values(pool.pick(rule.relative_to, rule.choose), rule.measure)
        means, absent = _means(against, {task for found in values for task, _ in found})
        if absent:
            reason = f"{rule.relative_to.label} gained nothing on {absent[0]}, or was not measured there"
            return undecided(f"{rule.what}: {reason}.", len(pool.records))
        values = [{key: value / means[key[0]] for key, value in found.items()} for found in values]
    plot = _plot(rule, pool, groups, values)
    strata = _sums(rule, values)
    count = len({record.trial_id for records in groups for record in records})
    if not strata:
        return undecided(f"{rule.what}: the groups share no seed.", count, plot)
    estimate = stratified_mean(strata, exact=rule.measure not in SCORES)
    estimate = pool.steady(estimate, [record for records in groups for record in records], rule.measure)
    verdict = rule.decide(estimate)
    p = None
    if rule.decided_by == "permutation":
        p = sign_flip_test([np.array(stratum) - _bound(rule, estimate.value) for stratum in strata])
    return Finding(verdict, rule.told(estimate, rule.what), estimate, count, plot, p)


def _means(against: dict[Key, float], tasks: set[str]) -> tuple[dict[str, float], list[str]]:
    """What values are divided by on each task, and the tasks on which that is too near to 0 to divide by."""
    by_task = {task: [value for (where, _), value in against.items() if where == task] for task in tasks}
    means = {task: math.fsum(found) / len(found) for task, found in by_task.items() if found}
    return means, sorted(task for task in tasks if means.get(task, 0.0) < LEAST_REFERENCE)


def _sums(rule: Rule, values: Sequence[dict[Key, float]]) -> list[list[float]]:
    """The weighted sum of every seed that all groups have, task by task."""
    keyed = [{("" if rule.across_tasks else task, seed): v for (task, seed), v in g.items()} for g in values]
    shared = sorted(set.intersection(*(set(group) for group in keyed)))
    by_task: dict[str, list[float]] = defaultdict(list)
    for key in shared:
        terms = zip(rule.groups, keyed, strict=True)
        by_task[key[0]].append(math.fsum(term.weight * group[key] for term, group in terms))
    return list(by_task.values())


def _bound(rule: Rule, value: float | None) -> float:
    """The finite bound that is nearest to the value: what the value must differ from."""
    finite = [end for end in rule.bounds if math.isfinite(end)]
    return min(finite, key=lambda end: abs(end - (value or 0.0)))


def _plot(
    rule: Rule, pool: Pool, groups: Sequence[Sequence[Record]], values: Sequence[dict[Key, float]]
) -> Plot:
    points = [
        Point(term.name, pool.steady(mean_interval(list(found.values())), records, rule.measure))
        for term, records, found in zip(rule.groups, groups, values, strict=True)
    ]
    title = SCORES.get(rule.measure, rule.measure)
    title += f", relative to {rule.relative_to.label}" if rule.relative_to else ""
    return Plot("", title, {"mean over seeds": points})
