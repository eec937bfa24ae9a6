"""What a row's method lost of what the model could do: after / before, over its seeds and over texts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.records.cost_parts import Forgetting
from reports.stats.estimate import MIN_SEEDS, quantile
from reports.stats.latency import Ratio


@dataclass(frozen=True)
class Forgotten:
    """A measure after / before, and what it is a measure of."""

    ratio: Ratio
    sample: Forgetting
    """Of the first seed."""

    @property
    def told(self) -> str:
        """What is compared."""
        if self.sample.measure == "perplexity":
            return "Perplexity of other text"
        return "Accuracy of a frozen head elsewhere"


def forgotten(parts: Sequence[Forgetting]) -> Forgotten | None:
    """The mean over seeds of after / before, geometric, with its 95 % interval; None without seeds.

    Seeds vary on Student's t over logarithms, from three seeds on. All of them read the same texts, so what
    other texts would give does not shrink with their number: both are added in quadrature. Seeds that read
    something else than the first, and such of which nothing is left, are left out.
    """
    of_one = [part for part in parts if part.text_sha256 == parts[0].text_sha256 and part.ratio_low > 0]
    if not of_one:
        return None
    logs = np.log([part.ratio for part in of_one])
    value, count, over_seeds = float(logs.mean()), len(of_one), 0.0
    if count >= MIN_SEEDS:
        t = quantile(count - 1)
        over_seeds = t * float(logs.std(ddof=1)) / math.sqrt(count)
    down = statistics.fmean(math.log(part.ratio / part.ratio_low) for part in of_one)
    up = statistics.fmean(math.log(part.ratio_high / part.ratio) for part in of_one)
    below, above = (math.hypot(over_seeds, half) for half in (down, up))
    ends = math.exp(value - below), math.exp(value + above)
    return Forgotten(Ratio(math.exp(value), *ends, count), of_one[0])
