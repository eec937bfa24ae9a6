"""What the seeds decide: the matrix, the ranks and the sentences, on the page and as data."""

from __future__ import annotations

import csv
import re

import numpy as np
import pandas as pd
import pytest

from reports import build_site
from reports.records.origins import Origin, content_key
from reports.records.schema import Suite
from reports.stats.sections import sections
from reports.stats.standing import placed, standing, standings
from reports.tables.standing import comparisons_frame

TRUTH = {"lora": 0.85, "pfeiffer": 0.85, "head": 0.65, "prompt": 0.57}
SIZES = {"lora": 73_728, "pfeiffer": 113_040, "head": 0, "prompt": 7_680}


@pytest.fixture
def make_tasks(make_record):
    """Four methods of known truth on several tasks; the last task is scored by a correlation."""

    def make(tasks=3, seeds=5, **changes):
        rng = np.random.default_rng(0)
        kinds = [("accuracy", "fraction")] * (tasks - 1) + [("matthews", "correlation")]
        return [
            make_record(
                method,
                task=f"task_{number}",
                seed=seed,
                score=round(float(rng.normal(truth, 0.008)), 4),
                method_parameters=SIZES[method],
                metric=metric,
                unit=unit,
                **changes,
            )
            for method, truth in TRUTH.items()
            for number, (metric, unit) in enumerate(kinds)
            for seed in range(seeds)
        ]

    return make


def test_over_tasks_what_differs_is_decided_and_what_does_not_is_not(make_tasks):
    (found,) = standings(sections(make_tasks()))
    assert found.tasks == ("task_0", "task_1", "task_2")
    decided = {frozenset((v.first, v.second)): v for v in found.verdicts}
    assert decided.pop(frozenset(("lora", "pfeiffer"))).sign == 0
    assert all(verdict.sign for verdict in decided.values())
    assert [place.label for place in found.places[2:]] == ["head", "prompt"]
    assert found.places[3].rank.value == 4
    assert found.places[0].middle.value == pytest.approx(0.7, abs=0.02)  # (0.85 − 0.5) / 0.5
    said = " ".join(found.sentences)
    assert (
        "Of 6 pairs of methods one is better in 5, one is as good as the other within 0.010 in 0, and 1 "
        in said
    )
    assert "All 6 intervals hold at once with 95 % (over seeds only; in share of the way from" in said
    best, second = (place.label for place in found.places[:2])
    assert f"{best} has the best average rank, " in said
    assert (
        f"Not decided against it: {second}; the smallest difference that would have been found is 0.0" in said
    )


def test_a_wider_margin_decides_who_is_as_good(make_tasks):
    (found,) = standings(sections(make_tasks()), margin=0.05)
    best, second = (place.label for place in found.places[:2])
    assert f"As good as it within 0.050: {second}." in found.sentences
    cells = dict(found.matrix)
    assert cells[best][1].startswith("≈")


def test_the_matrix_is_antisymmetric_and_holds_the_verdicts(make_tasks):
    (found,) = standings(sections(make_tasks()))
    matrix = dict(found.matrix)
    names = [place.label for place in found.places]
    turned = {"▲": "▼", "▼": "▲", "≈": "≈", "?": "?"}
    for row, first in enumerate(names):
        assert matrix[first][row] == ""
        for column, second in enumerate(names[:row]):
            here, there = matrix[first][column].split(), matrix[second][row].split()
            assert turned[here[0]] == there[0]
            assert here[1].lstrip("+−") == there[1].lstrip("+−")
    assert matrix["head"][3].startswith("▲ +0.1")


def test_one_task_is_judged_by_what_its_data_allow(make_tasks):
    """Three seeds give an interval by t: wide apart is better, near each other is open."""
    (section,) = sections(make_tasks(tasks=1, seeds=3))
    found = standing([section])
    assert found.decided
    decided = {frozenset((v.first, v.second)): v.sign for v in found.verdicts}
    assert decided[frozenset(("lora", "pfeiffer"))] == 0
    assert found.places[0].middle is None
    shares = {place.label: place.front_share for place in found.places}
    assert shares["head"] == 1
    assert shares["prompt"] == 0
    assert 0 < shares["pfeiffer"] < 1


@pytest.mark.parametrize(("methods", "seeds"), [(9, 2), (1, 5)])
def test_too_little_to_stand_on(make_study, methods, seeds):
    records = make_study(seeds=seeds)
    names = list(dict.fromkeys(record.spec["method"] for record in records))[:methods]
    found = sections([record for record in records if record.spec["method"] in names])
    assert standing(found) is None
    assert standings(found) == []


def test_unstable_runs_and_missing_tasks_are_told(make_tasks, make_record):
    records = [
        record
        for record in make_tasks()
        if not (record.spec["method"] == "prompt" and record.spec["task"] == "task_1")
    ]
    for seed in range(5):
        lost = {"status": "diverged"} if seed < 2 else {"status": "failed", "message": "no"}
        records.append(make_record("prompt", task="task_1", seed=seed, **lost))
    found = standings(sections(records))[0]
    said = " ".join(found.sentences)
    assert "prompt (2 of 12)" in said
    assert "none that learned nothing more often is called better" in said
    assert "task_1" not in said  # its two diverged seeds count as the best constant answer
    only = [r for r in records if not (r.spec["method"] == "prompt" and r.spec["task"] == "task_1")]
    assert "Not in the ranks, because some method has no score there: task_1." in (
        standings(sections(only))[0].sentences
    )


def _text(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))


def test_page_and_files(make_tasks, tmp_path):
    records = make_tasks()
    page = build_site(records, tmp_path).read_text(encoding="utf-8")
    text = _text(page)
    assert "What the seeds decide on embedded (22.7 M), all 3 tasks: task_0, task_1, task_2" in text
    assert text.count("Every two methods: the row's score less the column's") == 1
    alone = _text((tmp_path / "tasks" / "task_1.html").read_text(encoding="utf-8"))
    assert alone.count("What the seeds decide") == 1
    assert alone.count("Every two methods") == 1
    with (tmp_path / "comparisons.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4 * 6
    assert rows[0]["tasks"] == "task_0, task_1, task_2"
    found = sections(records)
    frame = comparisons_frame([*standings(found), *(standing([section]) for section in found)])
    assert frame["n_tasks"].tolist() == [3] * 6 + [1] * 18
    assert pd.notna(frame["difference_low"]).all()
    assert set(frame["decision"]) <= {"better", "as good", "not decided"}
    better = frame[frame["decision"] == "better"]
    assert (better["difference_low"] > 0).all()
    assert set(frame["unit"]) == {
        "score",
        "share of the way from the best constant answer to a perfect score",
    }
    markdown = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "## All 3 tasks on embedded" in markdown
    assert "Of 6 pairs of methods one is better in 5" in markdown


def test_one_seed_makes_the_page_it_always_made(make_study, tmp_path):
    build_site(make_study(), tmp_path)
    assert not (tmp_path / "comparisons.csv").exists()
    for page in tmp_path.rglob("*.html"):
        assert "What the seeds decide" not in page.read_text(encoding="utf-8")


def test_two_suites_that_measured_one_model_are_two_comparisons(make_tasks, tmp_path):
    """Each has a protocol of its own: no mean, rank or test goes over the tasks of both."""
    names = ("x-bench", "y-bench")
    common = {"url": "https://example.org", "experiment": "e", "status": "done", "file_sha256": "0"}
    records = [
        record.model_copy(update={"suite": suite})
        for name in names
        for record in make_tasks(options={"by": name})
        for suite in [Suite(name=name, label=record.spec["method"], notes=(), original={}, **common)]
    ]
    tasks = ("task_0", "task_1", "task_2")
    assert [(item.suite, item.tasks) for item in standings(sections(records))] == [(n, tasks) for n in names]
    text = _text(build_site(records, tmp_path).read_text(encoding="utf-8"))
    for name in names:
        assert f"task_2; measured by {name}" in text
        assert f"embedded (22.7 M), measured by {name}" in text


def test_what_others_report_is_placed_against_the_ranked_rows(make_record):
    rng = np.random.default_rng(0)
    ours = [
        make_record(name, seed=seed, score=round(float(rng.normal(score, 0.004)), 4))
        for name, score in (("lora", 0.85), ("head", 0.65))
        for seed in range(5)
    ]
    ada = [make_record("prefix", seed=seed, score=0.75 + 0.002 * seed) for seed in range(5)]
    known = {content_key(record): Origin("maintainers") for record in ours}
    known |= {content_key(record): Origin("self-reported", "ada") for record in ada}
    (section,) = sections([*ours, *ada], known)
    assert placed(section) == ["prefix, ada: better than head; worse than lora (over seeds only)."]
    assert section.apart[0].apart == "not measured by the maintainers; by its mean it would be place 2 of 3"
