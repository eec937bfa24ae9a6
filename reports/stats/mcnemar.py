"""Two trained models on the same examples: McNemar's test, for where one seed is all there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.records.answers import same_examples, unpacked
from reports.records.schema import Answers
from reports.stats.p_values import p_value


@dataclass(frozen=True)
class McNemar:
    """On how many examples only one of the two is right."""

    only_first: int
    only_second: int

    @property
    def p(self) -> float:
        """Two-sided and exact: the binomial of one half (McNemar 1947, Psychometrika 12, 153)."""
        from scipy import stats

        total = self.only_first + self.only_second
        return float(stats.binomtest(self.only_first, total).pvalue) if total else 1.0

    @property
    def told(self) -> str:
        """In words."""
        return f"McNemar's exact test, p = {p_value(self.p)}"


def mcnemar(first: Answers | None, second: Answers | None) -> McNemar | None:
    """Compare the answers of two models; None where they are not known, or not of the same examples."""
    if first is None or second is None or not same_examples(first, second) or first.labels is None:
        return None
    if first.hits is not None or second.hits is not None:  # sentences are right in parts
        return None
    (one, right), (other, _) = unpacked(first), unpacked(second)
    hits = [answers == right for answers in (one, other)]
    return McNemar(int(np.sum(hits[0] & ~hits[1])), int(np.sum(hits[1] & ~hits[0])))
