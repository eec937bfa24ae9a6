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


def test_every_seed_is_a_dot_and_the_best_method_is_on_top(make_study):
    section = _only(make_study(seeds=3))
    dots, means = seed_dots(section)["data"]
    assert len(dots["x"]) == 27
    assert sorted(dots["x"]) == sorted(one.score for row in section.rows for one in row.outcomes.values())
    assert means["y"][-1] == section.rows[0].label
    best = section.rows[0].score
    assert means["error_x"]["array"][-1] == pytest.approx(best.interval.high - best.mean)
    assert means["error_x"]["arrayminus"][-1] == pytest.approx(best.mean - best.interval.low)


def test_seeds_that_learned_nothing_have_a_mark_of_their_own(make_record):
    records = [make_record(seed=seed, score=score) for seed, score in enumerate([0.8, 0.5, 0.81])]
    learned, lost, _ = seed_dots(_only(records))["data"]
    assert (learned["x"], lost["x"]) == ([0.8, 0.81], [0.5])
    assert lost["name"] == "one seed that learned nothing"


def test_one_seed_has_no_mean_and_the_majority_is_a_line(make_study):
    figure = seed_dots(_only(make_study()))
    assert len(figure["data"]) == 1
    assert figure["layout"]["shapes"][0]["x0"] == 0.5


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
    (line,) = learning_curves(_only(records))["data"]
    assert line["x"] == [10, 20]
    assert line["y"] == pytest.approx([0.6, 0.7])


def test_memory_is_stacked_and_the_least_is_on_top(make_study):
    data = memory_bars(_only(make_study()).rows)["data"]
    assert [trace["name"] for trace in data] == [
        *("parameters", "gradients", "optimiser state"),
        *("activations", "temporary"),
    ]
    assert data[0]["y"][-1] == "head"
    assert data[1]["x"][-1] == pytest.approx(4 * 770 / 1e6)


def test_nothing_to_draw(make_record):
    section = _only([make_record(status="failed")])
    assert seed_dots(section) is None
    assert learning_curves(section) is None
    assert memory_bars(section.rows) is None


@pytest.mark.parametrize("hostile", ["</script><b>", "<a href='x'>y</a>", "a & b \u2028"])
def test_json_is_safe_in_a_script_element_and_in_plotly(make_record, hostile):
    section = _only([make_record(hostile, metric=hostile)])
    for figure in (seed_dots(section), learning_curves(section), memory_bars(section.rows)):
        dumped = figure_json(figure)
        assert not set(dumped) & set("<>&\u2028")
        content = json.loads(dumped)
        names = [content["data"][0]["name"], *content["data"][0]["y"]]
        assert not [name for name in names if "<" in str(name)]
