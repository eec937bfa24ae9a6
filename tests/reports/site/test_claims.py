from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.claims import judge, parse_claim
from reports.claims.finding import Plot, Point
from reports.errors import RecordError
from reports.site.claims import write_claims_page
from reports.site.parts.claims_figure import draw
from reports.stats.estimate import Estimate, Interval
from reports.tables.claims import claims_markdown

HOSTILE = "<script>alert(1)</script>"


def claim(number: int = 3, **changes: Any) -> Any:
    rule = {
        "kind": "trend",
        "what": "The accuracy",
        "over": "options.rank",
        "where": {"method": "lora"},
        "at_least": 0.01,
        "choose": "protocol.learning_rate",
    }
    content = {
        "number": number,
        "statement": f"It rises {HOSTILE}",
        "source": "Hu et al.",
        "url": "https://arxiv.org/abs/2106.09685",
        "measured": "Much.",
        "needs": "More seeds.",
        "parts": [{"says": "The score rises.", "in_words": "By a point a doubling.", "rule": rule}],
    }
    return parse_claim(content | changes, "rank")


JITTER = (-1e-5, 0.0, 1e-5)


def rising(trials, slope: float) -> list[Any]:
    return [
        record
        for power, rank in enumerate((1, 2, 4))
        for record in trials("lora", [0.6 + (slope + e) * power for e in JITTER], options={"rank": rank})
    ]


def test_the_verdicts_as_markdown(trials, tmp_path: Path) -> None:
    judgements = [judge("later", claim(number=4)), judge("rank", claim(), rising(trials, 0.03))]
    table = claims_markdown(judgements)
    rows = table.splitlines()
    assert len(rows) == 4
    assert rows[2].startswith("| 3 | It rises ")
    assert rows[2].endswith(" | supported | ✓ The score rises. 0.030 (0.030 to 0.030) |")
    assert rows[3].endswith(" | not decided | ? The score rises. – |")
    assert HOSTILE not in table
    write_claims_page(judgements, tmp_path)
    assert (tmp_path / "claims.md").read_text() == table


def test_a_page_of_verdicts_with_figures(trials, tmp_path: Path) -> None:
    judgements = [
        judge("later", claim(number=4), rising(trials, 0.001)),
        judge("rank", claim(), rising(trials, 0.03)),
        judge("open", claim(number=5)),
    ]
    page = write_claims_page(judgements, tmp_path)
    content = page.read_text()
    assert page == tmp_path / "claims.html"
    assert "3 claims: 1 supported, 1 not supported, 1 not decided" in content
    assert content.index('id="claim-3"') < content.index('id="claim-4"') < content.index('id="claim-5"')
    assert content.count("What it would take.") == 1
    assert content.count("<summary>") == 3, "one line each, opened on demand"
    assert "<section" not in content
    assert "9 trials with 3 seeds, 9 completed" in content
    assert "learning rate chosen from the values tried, on the selection split" in content
    assert "paretune claims rank" in content
    figures = re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', content)
    assert [name for name, _ in figures] == ["claim-3-1-figure", "claim-4-1-figure"]
    assert [p["x"] for p in json.loads(figures[0][1])["series"][0]["points"]] == [1, 2, 4]
    assert HOSTILE not in content
    rows = pd.read_csv(tmp_path / "claims.csv")
    assert list(rows["part_verdict"]) == ["supported", "not supported", "not decided"]
    assert rows["n_records"].tolist() == [9, 9, 0]


def test_parts_that_look_at_the_same_share_a_figure(trials, tmp_path: Path) -> None:
    one = claim().parts[0].model_dump()
    both = claim(parts=[one, one])
    content = write_claims_page([judge("rank", both, rising(trials, 0.03))], tmp_path).read_text()
    assert content.count('type="application/json"') == 1


def test_no_claims_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no claims"):
        write_claims_page([], tmp_path)


def test_groups_lie_below_each_other_and_foreign_names_stay_text() -> None:
    points = [Point("a <b>", Estimate(1.0, Interval(0.9, 1.2), 3)), Point("b", Estimate(None, None, 0))]
    figure = draw(Plot("", "ratio", {"mean": points}, level=1.0))
    assert figure is not None
    (point,) = figure.series[0].points
    assert point.y == figure.y.names[0] == "a <b>"
    assert point.high == pytest.approx(1.2)
    assert len(figure.rules) == 1
    assert draw(Plot("", "ratio", {"mean": points[1:]})) is None
