from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from reports.claims.select import Pool
from reports.claims.spread import Rule, evaluate, jackknifed, log_sd_ratio


def rule(**changes: Any) -> Rule:
    base = {
        "kind": "spread",
        "what": "The ratio",
        "of": [{"where": {"method": "prompt"}}],
        "than": [{"where": {"method": "lora"}}, {"where": {"method": "full"}}],
        "at_least": 1.0,
    }
    return Rule(**base | changes)


def scores(width: float, n: int = 10) -> list[float]:
    """Evenly spread over ±width around 0.75."""
    return list(0.75 + width * np.linspace(-1, 1, n))


@pytest.mark.parametrize(
    ("width", "verdict"), [(0.2, "supported"), (0.002, "not supported"), (0.021, "not decided")]
)
def test_three_verdicts(trials, width: float, verdict: str) -> None:
    pool = Pool(
        [*trials("prompt", scores(width)), *trials("lora", scores(0.02)), *trials("full", scores(0.02))]
    )
    found = evaluate(rule(), pool)
    assert found.verdict == verdict
    assert found.estimate.value == pytest.approx(width / 0.02)
    assert found.records == 30


def test_few_seeds_and_missing_groups_decide_nothing(trials) -> None:
    few = [*trials("prompt", scores(0.2)), *trials("lora", scores(0.02)), *trials("full", scores(0.02, 4))]
    found = evaluate(rule(), Pool(few))
    assert found.verdict == "not decided"
    assert "takes 5 seeds of every group, and one has 4" in found.sentence
    assert "no trial of full" in evaluate(rule(), Pool(few[:20])).sentence
    same = [*trials("prompt", [0.7] * 10), *few[10:20], *trials("full", scores(0.02))]
    assert "scored the same" in evaluate(rule(), Pool(same)).sentence


def test_pseudo_values_by_hand() -> None:
    """Of 0, 1, 3: variances 7/3 of all, and 2, 4.5 and 0.5 without each."""
    whole = 3 * math.log(7 / 3)
    assert jackknifed([0, 1, 3]) == pytest.approx(
        [whole - 2 * math.log(2), whole - 2 * math.log(4.5), whole - 2 * math.log(0.5)]
    )


def test_the_interval_covers_the_truth() -> None:
    """True ratio 2, ten normal scores each: about 95 of 100 intervals hold it, and of uniform scores too."""
    rng = np.random.default_rng(0)
    for draw in (rng.standard_normal, lambda size: rng.uniform(-1, 1, size)):
        held = 0
        for _ in range(600):
            found = log_sd_ratio([list(2 * draw(10))], [list(draw(10)), list(draw(10))])
            assert found.interval is not None
            held += found.interval.low <= 2 <= found.interval.high
        assert 0.92 <= held / 600 <= 0.985
