"""The page on serving many tasks says what its records say, and nothing that they do not."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import build_site
from reports.records.origins import Origin, content_key
from reports.records.serving_schema import ServingRecord
from reports.site.parts.serving_figures import MOST_LINES, MOST_PANELS, panels, time_of_batches, waiting
from reports.site.serving import groups
from reports.stats.serving import BreakEven
from reports.stats.serving_said import begins, mixed, over_sizes, sentences

from ..servings import batch, build_serving, build_servings
from .test_build import Reader

OFF = {"control": 1.04, "widest": 0.03}


def page(records: list[ServingRecord], folder: Path, **options: Any) -> Reader:
    build_site([], folder, servings=records, **options)
    return Reader((folder / "serving.html").read_text())


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(1.0, 3.0), min_size=1))
def test_the_cheapest_is_first_and_the_order_of_records_does_not_matter(ratios):
    records = {name: build_serving(name, rows=(8,), cell={"mixed": ratio}) for name, ratio in ratios.items()}
    found = mixed(records)
    assert [one.value for one in found] == pytest.approx(sorted(ratios.values()))
    assert all(one.low < one.value < one.high for one in found)
    assert mixed(dict(reversed(records.items()))) == found
    (first, *_) = sentences(records)
    assert found[0].label in first


@given(st.lists(st.tuples(st.integers(1, 512), st.integers(1, 64)), min_size=1, max_size=30))
def test_panels_are_few_and_have_both_ends(sizes):
    found = panels([batch(rows, length) for length, rows in sizes])
    assert len(found) <= MOST_PANELS
    assert set(found) <= set(sizes)
    assert {min(sizes), max(sizes)} <= set(found)


@given(st.floats(1, 64), st.floats(1, 64) | st.just(math.inf), st.floats(1, 64) | st.just(math.inf))
def test_a_break_even_is_told_without_an_infinite_number(first, second, third):
    low, value, high = sorted((first, second, third))
    said = begins(BreakEven(value, low, high), 64)
    assert "inf" not in said
    assert said


@pytest.mark.parametrize(
    ("one", "most", "said"),
    [
        (BreakEven(1.3, 1.2, 1.5), 8, "1.3 (1.2 to 1.5)"),
        (BreakEven(2.0, 1.8, math.inf), 8, "2 (1.8 to nowhere up to 8)"),
        (BreakEven(math.inf, 4.0, math.inf), 8, "nowhere up to 8; at the earliest from 4"),
        (BreakEven(math.inf, math.inf, math.inf), 8, "nowhere up to 8"),
        (BreakEven(math.inf, math.inf, math.inf), None, "never"),
        (BreakEven(1.0, 1.0, 1.0), 8, "1"),
        (None, 8, "–"),
    ],
)
def test_a_break_even_in_words(one, most, said):
    assert begins(one, most) == said


def test_break_evens_of_several_sizes():
    here, there = BreakEven(1.3, 1.2, 1.5), BreakEven(4.0, 3.0, 5.0)
    nowhere = BreakEven(math.inf, math.inf, math.inf)
    assert over_sizes([(here, 8), (None, 1), (there, 8)]) == "1.3 to 4"
    assert over_sizes([(here, 8), (nowhere, 8), (there, 8)]) == "1.3 to 4; nowhere in 1 of 3 sizes"
    assert over_sizes([(nowhere, 8), (nowhere, 16)]) == "nowhere up to 16"
    assert over_sizes([(here, 8), (None, 1)]) == "1.3 (1.2 to 1.5)"
    assert over_sizes([]) == "–"


def test_the_page_answers_first(tmp_path):
    said = page(build_servings(), tmp_path).text
    assert "36 of 36 comparisons can be trusted" in said
    assert (
        "Cheapest to mix is ia3: a batch of several tasks takes ×1.02 (1.01 to 1.03) of the base’s time, the "
        "mean of 4 comparisons; most with houlsby, ×1.40 (1.39 to 1.41)."
    ) in said
    assert "One more task of ia3 takes 298 kB of memory and 300 kB on disk." in said
    assert "added in 0.52 ms (2.10 ms from disk), switched to in 0.06 ms and taken out in 0.03 ms" in said
    assert "A mixed batch of ia3 is faster than task after task from this many distinct tasks on: 1" in said
    assert "Merging a task first pays from this many batches of it in a row on:" in said
    assert "not measured" in said  # energy
    assert "2.5 J mixed" in page(build_servings(joules={"mixed": 2.5}), tmp_path / "energy").text


def test_methods_that_are_not_told_apart_are_named():
    records = {name: build_serving(name, cell={"mixed": ratio}) for name, ratio in (("a", 1.1), ("b", 1.101))}
    assert sentences(records)[0].startswith("Cheapest to mix is a, not told apart from b: a batch")


def test_what_is_simulated_is_named_so_and_stands_beside_what_was_measured(tmp_path):
    said = page([build_serving()], tmp_path).text
    assert "Requests that arrive at random, simulated" in said
    assert "Simulated from the times above, not served" in said
    assert "lora mixed 10,000 1,000 200 4.44 ms 11.1 ms 17.8 ms 900" in said
    assert "lora merged in turn 10,000 1,000 200 does not keep up – – 90" in said
    assert "the 99th percentile came out as ×1.10 of the simulated one" in said
    assert "lora in turn 10 50 2,000 3.00 ms 3.30 ms 7.50 ms 8.25 ms 12.0 ms 13.2 ms" in said
    bare = page([build_serving(arriving=False)], tmp_path / "bare").text
    assert "Requests that arrive" not in bare
    assert not (tmp_path / "bare" / "arrivals.csv").exists()


def test_a_base_that_differs_from_itself_is_grey_and_decides_nothing(tmp_path):
    found = page([build_serving(cell=OFF), build_serving("ia3")], tmp_path)
    assert "12 of 24 comparisons can be trusted" in found.text
    assert "not to be trusted" in found.text
    assert sum(name == "class" and value == "untrusted" for _, name, value in found.attributes) == 12
    assert "With ia3 a batch of several tasks takes" in found.text
    (group,) = groups([build_serving(cell=OFF)])
    assert "can be trusted" in group.sentences[0]
    assert group.methods[0].mixing == group.methods[0].merging == "–"
    drawn = json.loads(group.figures[0][1][1])
    assert all(point["grey"] for series in drawn["series"] for point in series["points"])


def test_one_line_for_each_method_and_way_or_a_figure_for_each_way():
    few = {record.label: record for record in build_servings()}
    colours = {label: number for number, label in enumerate(few)}
    ((shown, figure),) = time_of_batches(few, colours)
    assert shown == "mixed, in turn and merged in turn"
    assert len(figure.series) == 3 + 3 + 2
    assert figure.panels == ("1 × 16 tokens", "8 × 16 tokens", "1 × 64 tokens", "8 × 64 tokens")
    first = figure.series[0].points[0]
    assert first.low < first.y < first.high
    many = {f"m{number}": build_serving() for number in range(MOST_LINES)}
    found = time_of_batches(many, {label: number for number, label in enumerate(many)})
    assert [shown for shown, _ in found] == ["mixed", "in turn", "merged in turn"]
    assert waiting({"a": build_serving(arriving=False)}, {"a": 0}) is None


def test_records_of_others_stand_apart(tmp_path):
    ours, theirs = build_serving(), build_serving(cell={"mixed": 0.5}, started_at="2026-12-01T00:00:00+00:00")
    known = {content_key(ours): Origin("maintainers"), content_key(theirs): Origin("self-reported", "eve")}
    first, second = groups([theirs, ours], known)
    assert first.methods[0].record == ours
    assert first.title == "One pass of embedded (22.7 M), rows draw their tasks evenly"
    assert second.title.endswith("self-reported (eve)")
    assert first == groups([ours], known)[0]
    said = page([theirs, ours], tmp_path, origins=known).text
    assert "Who measured it self-reported (eve)" in said
    with (tmp_path / "serving.csv").open() as stream:
        assert {row["submitter"] for row in csv.DictReader(stream)} == {"", "eve"}


def test_the_same_method_twice_has_two_lines():
    (group,) = groups([build_serving(), build_serving(options={"rank": 64})])
    assert [method.label for method in group.methods] == ["lora", "lora (2)"]


def test_beside_a_board_it_stands_in_the_bar_with_its_tables_and_schema(make_record, tmp_path):
    build_site([make_record()], tmp_path, servings=build_servings())
    assert 'href="serving.html">Serving</a>' in (tmp_path / "index.html").read_text()
    assert (tmp_path / "serving.csv").is_file()
    assert (tmp_path / "arrivals.csv").is_file()
    schemas = json.loads((tmp_path / "api/v1/index.json").read_text())["schemas"]
    assert json.loads((tmp_path / schemas["serving"]).read_text())["$id"] == "urn:paretune:serving:1"
    build_site([make_record()], tmp_path)
    assert not (tmp_path / "serving.html").exists()


def test_one_task_for_all_rows_says_nothing_of_mixing():
    (group,) = groups([build_serving(mix="one")])
    assert group.title.endswith("all rows draw one task")
    assert group.sentences[0].startswith("One more task of lora")
    assert group.methods[0].mixed is None
    assert group.methods[0].mixing == "–"
