"""What a handful of seeds allows to say of one method: means with intervals.

Everywhere the tasks are the ones that were chosen, and the seeds are the sample. Intervals hold 95 times in
100. Fewer than three seeds have none, because a spread from two numbers says next to nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.records.schema import Status

LEVEL: Final = 0.95
MIN_SEEDS: Final = 3
ROUNDING: Final = 1e-12
"""By how much numbers may differ that are equal on paper."""
NORMAL: Final = 1.959963984540054
"""Half the width of a 95 % interval of a normal number with deviation 1; to the bit what scipy's
``norm.ppf`` says, which takes a second to import."""

Values = NDArray[np.float64]


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
    over_examples: bool = False
    """Whether the interval is for new examples as well as for new seeds."""


def mean_interval(scores: ArrayLike, examples: Values | None = None) -> Estimate:
    """Mean over seeds with Student's t interval, mean ± t(0.975, n − 1) · s / √n.

    It takes scores to vary normally over seeds, which those of runs that learned nothing do not: they are
    left out by who asks, and told apart.

    With the influences of the examples it is for new examples as well: the half-widths of the two samples, of
    seeds by t and of examples by the normal law, are joined as the root of their squares (the method of
    variance estimates recovery, Zou & Donner 2008, doi 10.1002/sim.3095).

    Args:
        scores: one per seed; NaN is a seed without a score.
        examples: influences of the examples on each of the scores, (seeds, examples).
    """
    found = stratified_mean([scores])
    if examples is None or found.value is None or found.n < MIN_SEEDS:
        return found
    seeds = found.value - found.interval.low if found.interval else 0.0
    half = math.hypot(seeds, NORMAL * math.sqrt(examples_variance(examples)))
    return replace(found, interval=around(found.value, half), over_examples=True) if half > 0 else found


def stratified_mean(strata: Sequence[ArrayLike], *, exact: bool = False) -> Estimate:
    """The mean of the strata's means, each stratum (a task, say) weighing the same.

    With T strata of n_t scores and variance s_t², the variance is v = Σ s_t² / n_t / T² and its degrees of
    freedom are v² / Σ((s_t² / n_t / T²)² / (n_t − 1)) (Satterthwaite 1946, Biometrics Bulletin 2, 110), so
    strata may differ in spread. Every stratum needs three scores for an interval; one without any score
    leaves no mean. Where nothing varies there is no interval, for so few equal scores do not show that the
    next one would be equal; an ``exact`` number, which is computed and not drawn (bytes, say), has one
    without width there.
    """
    groups = [_known(stratum) for stratum in strata]
    n = sum(len(group) for group in groups)
    if not groups or any(len(group) == 0 for group in groups):
        return Estimate(None, None, n, "no mean: there is a part without any score")
    value = statistics.fmean(statistics.fmean(group) for group in groups)
    fewest = min(len(group) for group in groups)
    if fewest < MIN_SEEDS:
        return Estimate(value, None, n, no_interval(fewest))
    parts = np.array([sample_variance(group) / len(group) for group in groups]) / len(groups) ** 2
    variance = float(parts.sum())
    if not variance > 0:
        same = "no interval: every seed gave the same"
        return Estimate(value, around(value, 0.0) if exact else None, n, "" if exact else same)
    freedom = satterthwaite(parts, np.array([len(group) for group in groups]))
    return Estimate(value, around(value, quantile(freedom) * math.sqrt(variance)), n)


def satterthwaite(variances: Values, sizes: NDArray[np.int_]) -> float:
    """The degrees of freedom of a sum of means of so many values each, from the variances of the means."""
    return float(variances.sum()) ** 2 / float((variances**2 / (sizes - 1)).sum())


def interquartile_mean(
    scores: ArrayLike, *, noise: Values | None = None, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """The mean of the middle half of all runs of a method, over its tasks and seeds together.

    Agarwal et al. 2021 (arXiv 2108.13264): the 25 % trimmed mean of the T · S scores, which no single easy
    or hard task can move. The scores must share a scale, as ``Grid.gained`` gives it.

    The interval is not the paper's percentile interval, which with three seeds holds some 85 times in 100.
    It is value ± t · √(S / (S − 1)) · SE: SE is the standard error of the paper's stratified bootstrap (seeds
    drawn within each task), the factor makes up for the S − 1 degrees of freedom of S draws (Hesterberg
    2015, arXiv 1411.5279), and t has ⌈T / 2⌉ (S − 1) degrees, those of the half that is not trimmed.

    Args:
        scores: shape [tasks, seeds]; only seeds with a score on every task count.
        noise: what other examples would add to the score on each task, (draws, tasks); its part is joined
            with the seeds' as in ``mean_interval``.
        resamples: bootstrap resamples.
        seed: of the resampling; the same seed gives the same interval.
    """
    from scipy import stats

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
    if noise is not None:
        moved = (table[None] + noise[:, :, None]).reshape(len(noise), -1)
        half = math.hypot(half, NORMAL * float(np.std(stats.trim_mean(moved, 0.25, axis=1), ddof=1)))
    if not half > 0:
        return Estimate(value, None, table.size, "no interval: every seed gave the same")
    return Estimate(value, around(value, half), table.size, over_examples=noise is not None)


def examples_variance(contributions: Values) -> float:
    """The variance that a sample of examples adds to the mean of a crossed table (seeds x examples).

    The mean square of the examples' means over their number is var(example) / N + var(rest) / (S N); the
    second part is in the spread over seeds already, and is taken off (the two-way random effects model:
    Searle, Casella and McCulloch 1992, Variance Components, chapter 4).
    """
    seeds, count = contributions.shape
    if count < 2:
        return 0.0
    means = contributions.mean(axis=0)
    whole = float(means.var(ddof=1)) / count
    if seeds == 1:
        return whole
    rest = contributions - means - contributions.mean(axis=1, keepdims=True) + contributions.mean()
    residual = float((rest**2).sum()) / ((seeds - 1) * (count - 1))
    return max(whole - residual / (seeds * count), 0.0)


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


def sample_variance(values: Values) -> float:
    """s²; exactly 0 where the values differ by rounding alone."""
    return 0.0 if np.ptp(values) <= ROUNDING else float(np.var(values, ddof=1))


def no_interval(seeds: int) -> str:
    """Why so few seeds have no interval."""
    return f"no interval: {seeds} {'seed' if seeds == 1 else 'seeds'}, and it takes {MIN_SEEDS}"


def quantile(freedom: float, share: float = (1 + LEVEL) / 2) -> float:
    """The quantile of Student's t with that many degrees of freedom, 0.975 unless another is asked for.

    By the function behind ``scipy.stats.t.ppf``, which spends most of its time on checks of arrays.
    """
    from scipy import special

    return float(special.stdtrit(freedom, share))


def normal_quantile(share: float) -> float:
    """The quantile of a standard normal number; what is behind ``scipy.stats.norm.ppf``."""
    from scipy import special

    return float(special.ndtri(share))


def around(value: float, half: float) -> Interval:
    """value ± half."""
    return Interval(value - half, value + half)


def _known(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=float).ravel()
    return values[~np.isnan(values)]
