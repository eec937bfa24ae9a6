"""What a handful of seeds allows to say of one method: means with intervals, and how often it did not learn.

Everywhere the tasks are the ones that were chosen, and the seeds are the sample. Intervals hold 95 times in
100. Fewer than three seeds have none, because a spread from two numbers says next to nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reports.records.schema import Status

LEVEL: Final = 0.95
MIN_SEEDS: Final = 3
Bounds = tuple[float, float]


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval where there is one, and why not where there is none."""

    value: float | None
    interval: Interval | None
    n: int
    """Scores it is made of."""
    note: str = ""


def mean_interval(scores: ArrayLike, *, bounds: Bounds | None = None) -> Estimate:
    """Mean over seeds with Student's t interval, mean ± t(0.975, n − 1) · s / √n.

    It takes scores to vary normally over seeds, which a seed that diverged does not: the interval is then
    wide, and rough. Seeds that all score the same give an interval without width.

    Args:
        scores: one per seed; NaN is a seed without a score.
        bounds: the metric's range, to which the interval is cut.
    """
    return stratified_mean([scores], bounds=bounds)


def stratified_mean(strata: Sequence[ArrayLike], *, bounds: Bounds | None = None) -> Estimate:
    """The mean of the strata's means, each stratum (a task, say) weighing the same.

    With T strata of n_t scores and variance s_t², the variance is v = Σ s_t² / n_t / T² and its degrees of
    freedom are v² / Σ((s_t² / n_t / T²)² / (n_t − 1)) (Satterthwaite 1946, Biometrics Bulletin 2, 110), so
    strata may differ in spread. Every stratum needs three scores for an interval; one without any score
    leaves no mean.
    """
    groups = [_known(stratum) for stratum in strata]
    n = sum(len(group) for group in groups)
    if not groups or any(len(group) == 0 for group in groups):
        return Estimate(None, None, n, "no mean: there is a part without any score")
    value = statistics.fmean(statistics.fmean(group) for group in groups)
    fewest = min(len(group) for group in groups)
    if fewest < MIN_SEEDS:
        return Estimate(value, None, n, no_interval(fewest))
    parts = np.array([np.var(group, ddof=1) / len(group) for group in groups]) / len(groups) ** 2
    variance = float(parts.sum())
    freedom = np.array([len(group) - 1 for group in groups])
    half = 0.0
    if variance > 0:
        effective = variance**2 / float((parts**2 / freedom).sum())
        half = quantile(effective) * math.sqrt(variance)
    return Estimate(value, around(value, half, bounds), n)


def interquartile_mean(scores: ArrayLike, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """The mean of the middle half of all runs of a method, over its tasks and seeds together.

    Agarwal et al. 2021 (arXiv 2108.13264): the 25 % trimmed mean of the T · S scores, which no single easy
    or hard task can move. The scores must share a scale, as ``Grid.gained`` gives it.

    The interval is not the paper's percentile interval, which with three seeds holds some 85 times in 100.
    It is value ± t · √(S / (S − 1)) · SE: SE is the standard error of the paper's stratified bootstrap (seeds
    drawn within each task), the factor makes up for the S − 1 degrees of freedom of S draws (Hesterberg
    2015, arXiv 1411.5279), and t has ⌈T / 2⌉ (S − 1) degrees, those of the half that is not trimmed.

    Args:
        scores: shape [tasks, seeds]; only seeds with a score on every task count.
        resamples: bootstrap resamples.
        seed: of the resampling; the same seed gives the same interval.
    """
    table = np.atleast_2d(np.asarray(scores, dtype=float))
    table = table[:, ~np.isnan(table).any(axis=0)]
    tasks, seeds = table.shape
    if table.size == 0:
        return Estimate(None, None, 0, "no interquartile mean: no seed has a score on every task")
    value = float(stats.trim_mean(table.ravel(), 0.25))
    if seeds < MIN_SEEDS:
        return Estimate(value, None, table.size, no_interval(seeds))
    drawn = np.random.default_rng(seed).integers(seeds, size=(resamples, tasks, seeds))
    runs = np.take_along_axis(table[None], drawn, axis=2).reshape(resamples, -1)
    error = float(np.std(stats.trim_mean(runs, 0.25, axis=1), ddof=1)) * math.sqrt(seeds / (seeds - 1))
    half = quantile(math.ceil(tasks / 2) * (seeds - 1)) * error
    return Estimate(value, around(value, half), table.size)


def seed_score(status: Status, score: float | None, floor: float | None) -> float | None:
    """What a seed counts for in a mean: what it would give a user who trains once.

    A completed trial counts with its score. A diverged one, and one whose metric is undefined (a model that
    predicts one constant has no correlation), count with ``floor``, the score of always giving the majority
    answer: to leave them out would make the least stable methods look best. Running out of memory and
    errors say nothing of a seed, and are missing.
    """
    if status == "completed" and score is not None:
        return score
    return floor if status in ("completed", "diverged") else None


@dataclass(frozen=True)
class Instability:
    """How many seeds learned nothing; trials that ran out of memory or failed are not counted as seeds."""

    seeds: int
    diverged: int
    at_chance: int | None
    """Completed, and no better than the majority answer; null where that answer's score is unknown."""

    @property
    def share(self) -> float | None:
        """Share of seeds that diverged or stayed at chance; null where either is unknown."""
        if self.seeds == 0 or self.at_chance is None:
            return None
        return (self.diverged + self.at_chance) / self.seeds

    @property
    def interval(self) -> Interval | None:
        """Of the share: the exact one of Clopper & Pearson 1934 (Biometrika 26, 404).

        It holds at least 95 times in 100 for any number of seeds, one included.
        """
        if self.seeds == 0 or self.at_chance is None:
            return None
        return _exact_share(self.diverged + self.at_chance, self.seeds)


@lru_cache(maxsize=1024)  # found by a search, and most methods have the same few counts
def _exact_share(lost: int, seeds: int) -> Interval:
    exact = stats.binomtest(lost, seeds).proportion_ci(LEVEL, "exact")
    return Interval(float(exact.low), float(exact.high))


def instability(
    outcomes: Sequence[tuple[Status, float | None]], floor: float | None, *, higher_is_better: bool = True
) -> Instability:
    """Count the seeds that diverged or stayed at chance.

    A run stayed at chance when its score is no better than the majority classifier's, as Mosbach et al. 2021
    (arXiv 2006.04884) define a failed run; an undefined score is one of these.

    Args:
        outcomes: status and score of each trial.
        floor: the majority answer's score.
        higher_is_better: direction of the metric.
    """
    sign = 1 if higher_is_better else -1
    done = [score for status, score in outcomes if status == "completed"]
    diverged = sum(status == "diverged" for status, _ in outcomes)
    seeds = len(done) + diverged
    if floor is None:
        return Instability(seeds, diverged, None)
    at_chance = sum(score is None or sign * score <= sign * floor for score in done)
    return Instability(seeds, diverged, at_chance)


def pooled(parts: Sequence[Instability]) -> Instability:
    """The instability over several tasks: every run counts once."""
    chance = [part.at_chance for part in parts]
    known = [count for count in chance if count is not None]
    return Instability(
        seeds=sum(part.seeds for part in parts),
        diverged=sum(part.diverged for part in parts),
        at_chance=sum(known) if len(known) == len(chance) else None,
    )


def no_interval(seeds: int) -> str:
    """Why so few seeds have no interval."""
    return f"no interval: {seeds} {'seed' if seeds == 1 else 'seeds'}, and it takes {MIN_SEEDS}"


def quantile(freedom: float) -> float:
    """The 0.975 quantile of Student's t with that many degrees of freedom."""
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def around(value: float, half: float, bounds: Bounds | None = None) -> Interval:
    """value ± half, cut to the range that the value can have."""
    low, high = bounds or (-math.inf, math.inf)
    return Interval(max(value - half, low), min(value + half, high))


def _known(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=float).ravel()
    return values[~np.isnan(values)]
