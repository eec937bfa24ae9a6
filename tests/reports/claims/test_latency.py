from __future__ import annotations

import math
from typing import Any

import pytest

from reports.claims.latency import Rule, combined, evaluate
from reports.records.latency_schema import LatencyEntry, LatencyRecord
from reports.records.schema import Environment
from reports.stats.latency import interval

ENVIRONMENT = Environment(
    paretune_version="0.1.0",
    commit="c" * 40,
    tree_clean=True,
    python="3.11",
    platform="Linux",
    packages={"torch": "2"},
    device="cpu",
    device_name="a CPU",
    processes=1,
    threads=2,
)


def entry(label: str, ratio: float = 1.0, half: float = 0.005, **changes: Any) -> LatencyEntry:
    values = {"label": label, "method": None, "options": {}, "merged": False, "parameters": 0}
    values |= {"max_input_length": 512, "latency_ms_p50": 10 * ratio, "latency_ms_p95": 11 * ratio}
    values |= {"ratio": ratio, "ratio_low": ratio - half, "ratio_high": ratio + half}
    return LatencyEntry(**values | changes)


def comparison(batch: int, *entries: LatencyEntry, control: float = 1.0) -> LatencyRecord:
    return LatencyRecord(
        study="s",
        model="gpt2-medium",
        architecture="gpt2",
        weights="random",
        base_parameters=354_823_168,
        dtype="float32",
        phase="prefill",
        batch_size=batch,
        sequence_length=16,
        decode_tokens=None,
        rounds=50,
        width_asked=0.02,
        widest=0.01,
        seconds_limit=60.0,
        seed=0,
        entries=(entry("base", half=0), entry("base again", control), *entries),
        environment=ENVIRONMENT,
        started_at="2026-11-24T00:00:00+00:00",
    )


def lin(ratio: float, half: float = 0.005) -> LatencyEntry:
    return entry("lin", ratio, half, method="lin", options={"bottleneck": 8})


def rule(*cells: dict[str, Any], **bounds: float) -> Rule:
    full = [{"method": "lin", "length": 16, "batch": 1} | cell for cell in cells or ({},)]
    return Rule(kind="latency", what="The ratio", cells=full, **bounds or {"at_least": 1.02})


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(1.05, "supported"), (1.0, "not supported"), (1.022, "not decided")]
)
def test_an_overhead(ratio: float, verdict: str) -> None:
    found = evaluate(rule(), [comparison(1, lin(ratio))])
    assert found.verdict == verdict
    assert found.records == 1


def test_a_change_between_two_inputs() -> None:
    cells = {"batch": 1}, {"batch": 32, "weight": -1}
    wide = [comparison(1, lin(1.2)), comparison(32, lin(1.05))]
    assert evaluate(rule(*cells, at_least=0.1), wide).verdict == "supported"
    close = [comparison(1, lin(1.06)), comparison(32, lin(1.05))]
    assert evaluate(rule(*cells, at_least=0.1), close).verdict == "not supported"
    assert evaluate(rule(*cells, at_least=0.01), close).verdict == "not decided"
    assert evaluate(rule(*cells, at_least=0.01), close).records == 2


def test_intervals_combine_by_the_roots_of_squares() -> None:
    """Of 1.2 less 1.1 each end is as far as the root of both squared distances, in the direction of each."""
    first = entry("a", 1.2).model_copy(update={"ratio_low": 1.17, "ratio_high": 1.24})
    second = entry("b", 1.1).model_copy(update={"ratio_low": 1.06, "ratio_high": 1.13})
    found = combined([(1.0, first), (-1.0, second)], 50)
    assert found.value == pytest.approx(0.1)
    one, other = interval(first), interval(second)
    assert found.interval == pytest.approx(
        (
            0.1 - math.hypot(1.2 - one.low, other.high - 1.1),
            0.1 + math.hypot(one.high - 1.2, 1.1 - other.low),
        )
    )
    assert one.low < 1.17
    assert one.high > 1.24


def test_merged_and_options_tell_rows_apart() -> None:
    lora = entry("lora", 1.1, method="lora", options={"rank": 8})
    merged = entry("lora, merged", 1.0, method="lora", options={"rank": 8}, merged=True)
    here = [comparison(1, lora, merged)]
    within = {"at_least": 0.98, "at_most": 1.02}
    assert evaluate(rule({"method": "lora", "merged": True}, **within), here).verdict == "supported"
    assert evaluate(rule({"method": "lora"}, **within), here).verdict == "not supported"
    other = evaluate(rule({"method": "lora", "options": {"rank": 4}}, **within), here)
    assert other.sentence == "The ratio: lora, rank 4, 1 × 16 tokens has not been measured."
    assert other.verdict == "not decided"


def test_where_the_base_differs_from_itself_nothing_is_decided() -> None:
    found = evaluate(rule(), [comparison(1, lin(1.3), control=1.02)])
    assert found.verdict == "not decided"
    assert "the base differs from itself (A/A), the first at 1 × 16 tokens" in found.sentence
