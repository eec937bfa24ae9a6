from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports import build_site, read_records, write_record
from reports.records.schema import Record
from reports.records.tuning import how_set
from reports.records.validate import validate
from reports.site.intrinsic import score_against_dimension, views
from reports.site.parts.board import make_board
from reports.stats.completeness import together
from reports.stats.estimate import Estimate
from reports.stats.intrinsic import Curve, Reference, best_rate, curves, lines, point, sentences
from reports.stats.reach import suffices
from reports.stats.sections import sections
from reports.tables.intrinsic import intrinsic_frame

from ..conftest import BASE, build_record


def whole(score: float = 0.8, seed: int = 0, **changes: Any) -> Record:
    return build_record("full", options={}, score=score, method_parameters=BASE, seed=seed, **changes)


def inside(dimension: int, score: float, seed: int = 0, head: str = "inside", **changes: Any) -> Record:
    options = {"dimension": dimension, "head": head, "projection": "auto", "seed": None}
    made = build_record(
        "said", options=options, score=score, method_parameters=dimension, seed=seed, **changes
    )
    if head == "inside" and made.parameters:
        counts = made.parameters.model_copy(update={"head": 0, "trainable": dimension})
        made = made.model_copy(update={"parameters": counts})
    return made


def study(scores: dict[int, float], **changes: Any) -> list[Record]:
    return [whole(**changes), *(inside(d, score, **changes) for d, score in scores.items())]


def only(records: list[Record]) -> Curve:
    (found,) = curves(records)
    return found


def test_both_thresholds_by_hand() -> None:
    curve = only(study({64: 0.6, 16: 0.55, 256: 0.72, 1024: 0.78}))  # full 0.8, majority 0.5
    assert [p.dimension for p in curve.points] == [16, 64, 256, 1024]
    score, gain = curve.found("score"), curve.found("gain")
    assert score is not None
    assert gain is not None
    assert score.threshold == pytest.approx(0.72)
    assert gain.threshold == pytest.approx(0.77)
    assert (score.reached, score.missed) == (256, 64)
    assert (gain.reached, gain.missed) == (1024, 256)


def test_a_search_is_ranked_with_no_other_study(tmp_path: Path) -> None:
    searched = [r.model_copy(update={"study": "intrinsic"}) for r in study({16: 0.55, 64: 0.6})]
    compared = [whole(0.7), build_record("lora", score=0.6)]
    (section,) = sections([*compared, *searched])
    assert [row.identity.method for row in section.rows] == ["full", "lora"]
    assert {row.apart for row in section.apart} == {
        "of a search for the intrinsic dimension, which has a page of its own"
    }
    assert len(section.apart) == 3
    board = make_board([*compared, *searched], "t")
    assert board.scope == "2 methods, 1 task, 1 model, 2 trials"
    assert board.chosen == how_set(compared)
    (alone,) = sections(searched)
    assert len(alone.rows) == 3
    for record in [*compared, *searched]:
        write_record(record, tmp_path / record.study)
    found = together(validate(tmp_path))
    assert found.faults == found.cautions == []


def test_on_a_board_of_comparisons_a_search_is_ranked_on_no_task(make_record):
    searched = [r.model_copy(update={"study": "intrinsic"}) for r in study({16: 0.55, 64: 0.6})]
    elsewhere = [make_record(seed=seed, task="imdb") for seed in range(3)]
    ranked = {section.task: len(section.rows) for section in sections([*searched, *elsewhere])}
    assert ranked == {"imdb": 1, searched[0].spec["task"]: 0}
    (alone,) = sections(searched)
    assert alone.rows
    assert not alone.apart


def test_not_reached_and_reached_at_once() -> None:
    never = only(study({16: 0.5, 64: 0.6}))
    assert (never.found("score").reached, never.found("score").missed) == (None, 64)  # type: ignore[union-attr]
    told = "90 % of full fine-tuning's score is 0.720: not reached at any d that was tried, the largest 64; "
    told += "so few seeds do not say how sure that is."
    assert told in sentences(never)
    assert "That asks for 0.220 more than the best constant answer has." in sentences(never)
    first = only(study({16: 0.75, 64: 0.6}))
    assert (first.found("score").reached, first.found("score").missed) == (16, None)  # type: ignore[union-attr]
    assert any("reached at d = 16, the smallest that was tried" in line for line in sentences(first))


def test_means_over_seeds_decide_and_a_diverged_seed_is_the_majority() -> None:
    records = [whole(0.79, 0), whole(0.81, 1), *(inside(64, s, n) for n, s in enumerate((0.70, 0.76)))]
    records += [inside(16, 0.9, 0), inside(16, 0.0, 1, status="diverged"), inside(8, 0, status="diverged")]
    curve = only(records)
    assert curve.reference.full.value == pytest.approx(0.8)
    assert [p.score.value for p in curve.points[:2]] == [0.5, pytest.approx((0.9 + 0.5) / 2)]
    assert curve.found("score").reached == 64  # type: ignore[union-attr]


def test_where_the_majority_class_reaches_the_papers_threshold_that_is_said() -> None:
    records = [
        r.model_copy(update={"scores": r.scores.model_copy(update={"majority": {"accuracy": 0.75}})})
        for r in study({16: 0.76, 64: 0.78})
        if r.scores
    ]
    curve = only(records)
    assert curve.found("score").reached == 16  # type: ignore[union-attr]
    assert curve.found("gain").threshold == pytest.approx(0.795)  # type: ignore[union-attr]
    assert "The best constant answer alone reaches that: it says nothing about learning." in sentences(curve)


@pytest.mark.parametrize(
    ("full", "majority", "score", "gain"),
    [
        (0.8, 0.5, 0.72, 0.77),
        (0.8, None, 0.72, None),  # a correlation of a constant
        (0.5, 0.6, 0.45, None),  # full fine-tuning learned nothing
        (0.0, 0.0, None, None),
        (None, 0.5, None, None),
    ],
)
def test_thresholds(
    full: float | None, majority: float | None, score: float | None, gain: float | None
) -> None:
    reference = Reference(Estimate(full, None, 1), {0: full}, majority)
    assert reference.threshold("score") == (None if score is None else pytest.approx(score))
    assert reference.threshold("gain") == (None if gain is None else pytest.approx(gain))


def test_what_has_no_score_passes_nothing() -> None:
    lost = point(16, [inside(16, 0.0, status="failed")], 0.5)
    assert lost.score.value is None
    assert not suffices(Reference(Estimate(0.8, None, 1), {0: 0.8}, 0.5).gap(lost, "score"))


def test_whether_the_head_lies_inside() -> None:
    assert any(
        "The task head lies inside the subspace" in line
        for line in sentences(only(study({16: 0.6, 64: 0.7})))
    )
    beside = only([whole(), inside(16, 0.6, head="beside"), inside(64, 0.7, head="beside")])
    assert not beside.head_inside
    assert any("its 770 parameters come on top of d" in line for line in sentences(beside))


def test_settings_make_curves_of_their_own_and_a_lone_dimension_makes_none() -> None:
    records = study({16: 0.6, 64: 0.7}) + [inside(d, 0.7, head="beside") for d in (16, 64)]
    assert len(curves(records)) == 2
    assert curves(study({16: 0.6})) == []
    assert curves([inside(16, 0.6), inside(64, 0.7)]) == []  # nothing to hold them against


def test_full_fine_tuning_of_the_same_protocol_is_the_reference() -> None:
    longer = whole(0.9, protocol={"steps": 9999})
    curve = only([longer, *study({16: 0.6, 64: 0.7})])
    assert curve.reference.full.value == pytest.approx(0.8)


def test_of_several_rates_the_selection_split_chooses() -> None:
    def trial(rate: float, selection: float, report: float, seed: int = 0, **changes: Any) -> Record:
        made = inside(64, report, seed, learning_rate=rate, **changes)
        scores = made.scores and made.scores.model_copy(update={"selection": {"accuracy": selection}})
        return made.model_copy(update={"scores": scores})

    low, high = trial(0.1, 0.70, 0.90), trial(1.0, 0.75, 0.60)
    assert best_rate([low, high]) == [high]  # though the reported split has it the other way
    more = trial(1.0, 0.10, 0.62, seed=1)  # a seed that the other rate did not run is no argument
    assert best_rate([low, more, high]) == [more, high]
    lost = trial(0.3, 0.0, 0.0, status="diverged")
    assert best_rate([lost, low]) == [low]
    assert best_rate([trial(1.0, 0.7, 0.6), low]) == [low]  # the lower of two equal ones
    curve = only([whole(), inside(16, 0.5), low, high, more])
    assert curve.points[1].score.value == pytest.approx(0.61)
    assert curve.points[1].learning_rate == 1.0


def test_the_page(tmp_path: Path) -> None:
    records = study({16: 0.55, 64: 0.73}, task="mrpc")
    for record in records:
        write_record(record, tmp_path)
    build_site(read_records(tmp_path), tmp_path / "site")
    page = (tmp_path / "site" / "intrinsic.html").read_text()
    assert "mrpc on embedded (22.7 M), said" in page
    assert "reached at d = 64, not at 16" in page
    assert "said on bert-base: 1,608" in page
    assert "intrinsic.html" in (tmp_path / "site" / "index.html").read_text()
    table = pd.read_csv(tmp_path / "site" / "intrinsic.csv")
    assert table["dimension"].tolist() == [16, 64]
    assert table["threshold_of_score"].tolist() == pytest.approx([0.72, 0.72])
    build_site([whole(task="mrpc")], tmp_path / "other")
    assert not (tmp_path / "other" / "intrinsic.html").exists()


def test_the_figure_and_the_table_say_the_same() -> None:
    curve = only([*study({16: 0.55, 64: 0.73}), inside(64, 0.75, seed=1)])
    figure = score_against_dimension(curve)
    drawn = figure.series[-1].points
    assert [point.x for point in drawn] == intrinsic_frame([curve])["dimension"].tolist() == [16, 64]
    assert [point.y for point in drawn] == pytest.approx([0.55, 0.74])
    names = {rule.label: (rule.left, rule.below) for rule in figure.rules}
    assert names["90 % of its score: 0.720"] == (True, False)
    assert len(set(names.values())) == len(names), "no two names over each other, however near the lines"
    assert [(line.score_passes, line.gain_passes) for line in lines(curve)] == [(False, False), (True, False)]


def test_foreign_text_is_harmless(tmp_path: Path) -> None:
    records = study({16: 0.55, 64: 0.73}, task="<script>alert(1)</script>")
    build_site(records, tmp_path)
    assert "<script>alert" not in (tmp_path / "intrinsic.html").read_text()
    assert "<" not in str(views(curves(records))[0].figure)
