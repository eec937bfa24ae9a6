"""The figure: what is drawn, and that the Pareto front does not rely on colour."""

from __future__ import annotations

import json

import pytest

from reports.figures import figure_json, score_against_parameters
from reports.label_layout import label_positions
from reports.sections import sections


def _figure(records):
    (section,) = sections(records)
    return score_against_parameters(section)


def test_front_is_filled_and_joined_by_steps(make_study):
    line, front, dominated = _figure(make_study()).data
    assert line.line.shape == "hv"
    assert list(front.text) == ["head", "prompt", "bitfit", "lora", "pfeiffer", "full"]
    assert list(line.x) == list(front.x)
    assert set(dominated.text) == {"lin", "houlsby", "prefix"}
    assert (front.marker.symbol, dominated.marker.symbol) == ("circle", "circle-open")
    assert min(front.x) == 770
    assert front.error_y.array is None


def test_axis_majority_and_hover(make_study):
    figure = _figure(make_study())
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 0.5
    assert figure.layout.shapes[0].line.dash == "dash"
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    hover = figure.data[1].hovertext[3]
    for cost in ("0.807", "74,498", "0.32 %", "334 MB", "36.0 s", "×1.21", "299 kB"):
        assert cost in hover


def test_error_bars_with_several_seeds(make_study):
    for seeds in (2, 3):
        records = make_study(seeds=seeds)
        front = _figure(records).data[1]
        (section,) = sections(records)
        spread = next(row.score for row in section.rows if row.label == front.text[0])
        reach = spread.interval.high - spread.mean if spread.interval else spread.sd
        assert front.error_y.array[0] == pytest.approx(reach)
        assert front.error_y.arrayminus[0] == pytest.approx(reach)
        assert reach > 0 or seeds == 2


def test_nothing_to_draw(make_record):
    assert _figure([make_record(status="failed")]) is None


def test_a_single_point_and_no_trained_parameter(make_record):
    record = make_record(method_parameters=0)
    counts = record.parameters.model_copy(update={"head": 0, "trainable": 0})
    (points,) = _figure([record.model_copy(update={"parameters": counts})]).data
    assert list(points.x) == [1]
    assert "trainable parameters 0" in points.hovertext[0]


@pytest.mark.parametrize("hostile", ["</script><b>", "<a href='x'>y</a>", "a & b \u2028"])
def test_json_is_safe_in_a_script_element_and_in_plotly(make_record, hostile):
    dumped = figure_json(_figure([make_record(hostile)]))
    assert not set(dumped) & set("<>&\u2028")
    label = json.loads(dumped)["data"][0]["text"][0]
    assert "<" not in label


def test_labels_avoid_each_other_and_obstacles():
    assert label_positions([(100, 100)], [40]) == ["top center"]
    assert label_positions([(100, 100)], [40], [(0, 70, 200, 92)]) == ["bottom center"]
    sides = label_positions([(100, 100), (110, 100)], [40, 40])
    assert sides[0] != sides[1]
