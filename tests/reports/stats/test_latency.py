from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from reports import RecordError, build_site, read_latencies, read_records, write_latency
from reports.records.cost_parts import LatencyRow
from reports.records.identity import identity
from reports.records.latency_files import read_latency
from reports.records.latency_schema import LatencyEntry, LatencyRecord
from reports.records.origins import Origin, content_key
from reports.records.published import latencies, latency_of
from reports.records.schema import Environment
from reports.records.validate import validate
from reports.site.latency import groups, overhead
from reports.stats.completeness import together
from reports.stats.latency import BETWEEN, between, decision, ratio, trusted, verdicts
from reports.tables.latency import latency_frame

ENVIRONMENT = Environment(
    paretune_version="0.1.0",
    commit="c" * 40,
    tree_clean=True,
    python="3.11",
    platform="Linux",
    packages={"torch": "2"},
    device="cpu",
    device_name="<b>a CPU</b>",
    processes=1,
    threads=2,
)


def entry(label: str, ratio: float = 1.0, half: float = 0.005, **changes: Any) -> LatencyEntry:
    values = {
        "label": label,
        "method": None,
        "options": {},
        "merged": False,
        "parameters": 0,
        "max_input_length": 1024,
        "latency_ms_p50": 10 * ratio,
        "latency_ms_p95": 11 * ratio,
        "ratio": ratio,
        "ratio_low": ratio - half,
        "ratio_high": ratio + half,
    }
    return LatencyEntry(**values | changes)


def record(batch: int = 1, length: int = 128, control: float = 1.0, **changes: Any) -> LatencyRecord:
    values = {
        "study": "s",
        "model": "gpt2-medium",
        "architecture": "gpt2",
        "weights": "random",
        "base_parameters": 354_823_168,
        "dtype": "float32",
        "phase": "prefill",
        "batch_size": batch,
        "sequence_length": length,
        "decode_tokens": None,
        "rounds": 50,
        "width_asked": 0.02,
        "widest": 0.01,
        "seconds_limit": 60.0,
        "seed": 0,
        "entries": (
            entry("base", half=0),
            entry("base again", control),
            entry("lora", 1.05, method="lora", parameters=393_216),
            entry("lora, merged", 1.001, method="lora", merged=True, parameters=393_216),
            entry("lin <i>x</i>", 1.1, method="lin", parameters=11_089_152),
        ),
        "environment": ENVIRONMENT,
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    return LatencyRecord(**values | changes)


def test_a_file_is_what_was_written_and_no_trial(tmp_path: Path) -> None:
    path = write_latency(record(), tmp_path)
    assert path.name.startswith("gpt2-medium--prefill--b1--t128--")
    assert read_latency(path) == record()
    assert read_latencies(tmp_path) == [record()]
    assert read_records(tmp_path) == read_records(path) == []
    assert read_latencies(path) == [record()]
    assert write_latency(record(rounds=70), tmp_path) == path  # measured again: the file is replaced
    assert write_latency(record(seed=1), tmp_path) != path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 9}, r"\$\.schema_version is 9"),
        ({"rounds": 0}, r"\$\.rounds"),
        ({"entries": []}, r"\$\.entries must begin with the base"),
        ({"phase": "sideways"}, r"\$\.phase"),
    ],
)
def test_what_is_wrong_is_one_sentence(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = write_latency(record(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=words) as caught:
        read_latency(path)
    assert "\n" not in str(caught.value)


def test_published_figures_stand_beside_the_same_input_and_size() -> None:
    found = [latency_of(record(), e) for e in record().entries]
    assert [row.overhead_percent if row else None for row in found] == [None, None, None, 0, 20.7]
    assert latency_of(record(), entry("x", method="lin", parameters=516_312)) is None
    small = latency_of(record(32, 512), entry("x", method="lin", parameters=516_312))
    assert small is not None
    assert small.overhead_percent == 2.2
    assert len(latencies()) == 9


def test_verdicts() -> None:
    assert len(verdicts(record())) == 1
    assert len(verdicts(record(control=1.006))) == 1  # as two equal models in one process may differ
    assert "cannot be trusted" in verdicts(record(control=1.02))[1]
    limited = verdicts(record(widest=0.05))
    assert "The time limit of 60.0 s ended it after 50 rounds" in limited[1]
    assert "5.0% wide, 2.0% was asked" in limited[1]


def controls() -> list[LatencyRow]:
    """Every published comparison of a base with itself."""
    board = Path(reports.__file__).parent / "leaderboards"
    trials = [r for folder in sorted(board.iterdir()) for r in read_records(folder) if r.latency]
    return [r.latency.control for r in trials if r.latency] + [r.control for r in read_latencies(board)]


def test_what_a_process_adds_is_what_published_comparisons_of_a_base_with_itself_lack() -> None:
    found = controls()
    # It is the quantile of the first 191, and stays while it is enough: every interval would move with it.
    assert BETWEEN / 2 < between(found) <= BETWEEN
    over_rounds = sum(row.ratio_low <= 1 <= row.ratio_high for row in found)
    assert over_rounds / len(found) < 0.9  # so the rounds of one process alone are not enough
    held = 0
    for index, row in enumerate(found):
        ends = ratio([row], between([*found[:index], *found[index + 1 :]]))  # it had no say in this
        held += ends.low <= 1 <= ends.high
    assert held / len(found) >= 0.94


def test_three_runs_of_a_base_with_itself_hold_one() -> None:
    """The trials of one method on one task, three seeds, are three processes."""
    board = Path(reports.__file__).parent / "leaderboards"
    groups: dict[tuple[str, ...], list[LatencyRow]] = defaultdict(list)
    for study in ("tuned-glue", "tuned-reviews", "claim-task-switching"):
        for one in read_records(board / study):
            if one.latency:
                key = study, identity(one).task, identity(one).method, str(identity(one).options)
                groups[key].append(one.latency.control)
    found = [ratio(rows) for rows in groups.values()]
    assert len(found) == 56
    assert {one.seeds for one in found} == {3}
    assert sum(one.low <= 1 <= one.high for one in found) / len(found) >= 0.94


@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=30)
)
def test_the_interval_is_around_the_value_and_never_narrower_than_a_process(
    rows: list[tuple[float, float, float]],
) -> None:
    found = ratio(
        [entry("x", value, ratio_low=value * (1 - a), ratio_high=value * (1 + b)) for value, a, b in rows]
    )
    assert 0 < found.low < found.value < found.high
    assert math.log(found.high / found.low) >= 2 * BETWEEN * 0.999


def test_more_equal_runs_do_not_average_away_what_processes_share() -> None:
    assert math.log(ratio([entry("x")] * 20).high) >= BETWEEN


@pytest.mark.parametrize(
    ("value", "half", "control", "expected"),
    [
        (1.05, 0.005, 1.0, "slower"),
        (0.95, 0.005, 1.0, "faster"),
        (1.001, 0.001, 1.0, "as fast"),
        (1.006, 0.001, 1.0, "ambiguous"),  # as a process may be off by
        (1.0, 0.02, 1.0, "ambiguous"),
        (1.05, 0.005, 1.02, "ambiguous"),  # the base differs from itself
    ],
)
def test_a_contender_is_slower_faster_as_fast_or_ambiguous(
    value: float, half: float, control: float, expected: str
) -> None:
    assert decision(record(control=control), entry("lora", value, half, method="lora")) == expected
    assert trusted(entry("base again", control)) == (control == 1)


def test_too_few_comparisons_say_nothing_of_processes() -> None:
    with pytest.raises(ValueError, match="18 comparisons are too few"):
        between([entry("base again")] * 18)
    assert between([entry("base again")] * 19) == 0
    with pytest.raises(ValueError, match="at least one run"):
        ratio([])


def test_the_figure_has_a_panel_for_each_length_and_the_overhead_in_per_cent() -> None:
    cells = [record(1, 16), record(8, 16), record(1, 128)]
    figure = overhead(cells)
    assert figure is not None
    assert figure.panels == ("16 tokens", "128 tokens")
    (lora,) = [series for series in figure.series if series.name == "lora"]
    first = [point for point in lora.points if point.panel == "16 tokens"]
    assert [point.x for point in first] == ["1", "8"]
    assert [point.y for point in first] == pytest.approx([5, 5])
    assert [point.high - point.y for point in first] == pytest.approx([0.83, 0.83], abs=0.02)  # of 0.5
    assert not any(point.grey for point in lora.points)
    assert overhead(cells[:1]) is None


def test_groups_say_what_papers_measured_and_we_did_not() -> None:
    (group,) = groups([record(1, 16), record(1, 128)])
    assert {(row.batch_size, row.sequence_length) for row in group.not_measured} == {(32, 512), (16, 256)}


def test_a_comparison_counts_once(tmp_path: Path) -> None:
    first = write_latency(record(), tmp_path / "a")
    write_latency(record(study="another"), tmp_path / "b")
    write_latency(record(started_at="2026-01-02T00:00:00+00:00"), tmp_path / "c")
    assert len(read_latencies(tmp_path)) == 3
    write_latency(record(rounds=70), tmp_path / "d")
    with pytest.raises(RecordError, match=f"d/.* repeats the comparison of {first}"):
        read_latencies(tmp_path)
    found = together(validate(tmp_path))
    assert [fault.split(" ", 1)[1] for fault in found.faults] == [
        f"repeats the comparison of {first}, and one counts once"
    ]


def test_comparisons_of_others_stand_in_figures_of_their_own(tmp_path: Path) -> None:
    ours, theirs = record(), record(8, started_at="2026-01-02T00:00:00+00:00")
    ada = Origin("self-reported", "ada")
    known = {content_key(ours): Origin("maintainers"), content_key(theirs): ada}
    one, two = groups([ours, theirs], known)
    assert (one.figure, two.figure) == (None, None)
    assert (
        one.title == "Pass up to the first new token of gpt2-medium (355 M)"
    )  # as it is without the others'
    assert two.title.endswith("2 threads, float32, self-reported (ada)")
    assert ("Who measured it", "self-reported (ada)") in two.facts
    table = latency_frame([ours, theirs], known)
    assert set(table["origin"]) == {"maintainers", "self-reported"}
    assert set(table["submitter"].dropna()) == {"ada"}
    (alone,) = groups([ours, theirs])
    assert alone.title == "Pass up to the first new token of gpt2-medium (355 M)"
    assert alone.figure
    assert "Who measured it" not in dict(alone.facts)


def test_the_page_escapes_and_links(tmp_path: Path) -> None:
    page = build_site([], tmp_path, latencies=[record(1, 16), record(1, 128, control=1.02)])
    assert page.name == "latency.html"
    html = page.read_text()
    assert "<b>a CPU</b>" not in html
    assert "<i>x</i>" not in html
    assert "cannot be trusted" in html
    assert "+20.7 %" in html
    table = pd.read_csv(tmp_path / "latency.csv")
    assert len(table) == 10
    assert list(table["ratio"][:2]) == [1.0, 1.0]
