"""Seeds, curves and memory as figures: what is drawn, and that foreign text is harmless in them."""

from __future__ import annotations

import json

import pytest

from reports.records.schema import CurvePoint
from reports.site.parts.figures import figure_json, learning_curves, memory_bars, seed_dots
from reports.stats.sections import sections


def _only(records):
    (section,) = sections(records)
    return section


def _drawn(figure):
    return json.loads(figure_json(figure))


def test_every_seed_is_a_dot_and_the_best_method_is_on_top(make_study):
    section = _only(make_study(seeds=3))
    figure = seed_dots(section)
    dots, means = figure.series
    assert len(dots.points) == 27
    assert sorted(point.x for point in dots.points) == sorted(
        one.score for row in section.rows for one in row.outcomes.values()
    )
    best = section.rows[0]
    assert figure.y.names[0] == means.points[0].y == best.label
    assert (means.points[0].low, means.points[0].high) == tuple(best.score.interval)


def test_seeds_that_learned_nothing_have_a_mark_of_their_own(make_record):
    records = [make_record(seed=seed, score=score) for seed, score in enumerate([0.8, 0.5, 0.81])]
    learned, lost, _ = seed_dots(_only(records)).series
    assert ([p.x for p in learned.points], [p.x for p in lost.points]) == ([0.8, 0.81], [0.5])
    assert (lost.name, lost.symbol) == ("one seed that learned nothing", "times")


def test_one_seed_has_no_mean_and_the_majority_is_a_line(make_study):
    figure = _drawn(seed_dots(_only(make_study())))
    assert len(figure["series"]) == 1
    assert figure["rules"] == [{"axis": "x", "value": 0.5}]


def test_curves_are_means_over_seeds_and_leave_out_what_is_unknown(make_record):
    def curve(*values):
        return tuple(
            CurvePoint(step=10 * n, train_loss=None, selection={"accuracy": value})
            for n, value in enumerate(values, start=1)
        )

    records = [
        make_record(seed=seed).model_copy(update={"curve": points})
        for seed, points in enumerate([curve(0.5, 0.7), curve(0.7, None), curve(None, None)])
    ]
    (line,) = learning_curves(_only(records)).series
    assert [point.x for point in line.points] == [10, 20]
    assert [point.y for point in line.points] == pytest.approx([0.6, 0.7])


def test_memory_is_stacked_and_the_least_is_on_top(make_study):
    figure = memory_bars(_only(make_study()).rows)
    assert [series.name for series in figure.series] == [
        *("parameters", "gradients", "optimiser state"),
        *("activations", "temporary"),
    ]
    assert figure.y.names[0] == "head"
    assert figure.series[1].points[0].x == pytest.approx(4 * 770 / 1e6)


def test_nothing_to_draw(make_record):
    section = _only([make_record(status="failed")])
    assert seed_dots(section) is None
    assert learning_curves(section) is None
    assert memory_bars(section.rows) is None


@pytest.mark.parametrize("hostile", ["</script><b>", "<a href='x'>y</a>", "a & b \u2028"])
def test_json_is_safe_in_a_script_element(make_record, hostile):
    section = _only([make_record(hostile, metric=hostile)])
    for figure in (seed_dots(section), learning_curves(section), memory_bars(section.rows)):
        assert not set(figure_json(figure)) & set("<>&\u2028")
        assert _drawn(figure)["series"]
