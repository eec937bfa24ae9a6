"""How much a row's method raised the perplexity of general text, over its seeds and over texts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from reports.records.cost_parts import Forgetting
from reports.stats.estimate import LEVEL, MIN_SEEDS
from reports.stats.latency import Ratio


def forgotten(parts: Sequence[Forgetting]) -> Ratio | None:
    """The geometric mean over seeds of perplexity after / before, with its 95 % interval; None without seeds.

    Seeds vary on Student's t over logarithms, from three seeds on. All of them read the same texts, so what
    other texts would give does not shrink with their number: both are added in quadrature. Seeds that read
    another text than the first are left out.
    """
    if not parts:
        return None
    from scipy import stats

    same = [part for part in parts if part.text_sha256 == parts[0].text_sha256]
    logs = np.log([part.ratio for part in same])
    value, count, over_seeds = float(logs.mean()), len(same), 0.0
    if count >= MIN_SEEDS:
        t = float(stats.t.ppf((1 + LEVEL) / 2, count - 1))
        over_seeds = t * float(logs.std(ddof=1)) / math.sqrt(count)
    down = statistics.fmean(math.log(part.ratio / part.ratio_low) for part in same)
    up = statistics.fmean(math.log(part.ratio_high / part.ratio) for part in same)
    below, above = (math.hypot(over_seeds, half) for half in (down, up))
    return Ratio(math.exp(value), math.exp(value - below), math.exp(value + above), count)
