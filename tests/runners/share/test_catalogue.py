"""The cards that reports get of methods and tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import methods
import tasks
from methods.core import PLACES, at
from reports import read_records
from reports.site.parts.block_figure import PLACES as DRAWN
from reports.site.record import study_file
from runners.plan.study import parse_study
from runners.share.catalogue import bibliography, catalogue


def test_every_method_and_task_has_a_card_with_a_citation() -> None:
    found = catalogue()
    assert [card.name for card in found.methods] == list(methods.names())
    assert [card.name for card in found.tasks] == list(tasks.names())
    assert all(card.notes and card.summary for card in found.methods)
    assert all(card.citation for card in found.methods if "arXiv" in card.source)
    assert all(card.citation for card in found.tasks if tasks.get(card.name).citation)
    lora = found.method("lora")
    assert lora is not None
    assert "Low-Rank Adaptation" in (lora.citation or "")
    assert [option.name for option in lora.options][:2] == ["rank", "alpha"]
    assert lora.options[3].default == "query value"
    assert found.method("nobody") is None


def test_every_paper_of_the_methods_is_cited_by_one() -> None:
    cited = [card.citation or "" for card in catalogue().methods]
    for entry in bibliography(methods).values():
        assert any(entry in citation for citation in cited), entry


def test_the_figure_draws_every_place_that_methods_name() -> None:
    assert set(PLACES) <= DRAWN
    for name in methods.names():
        assert set(methods.get(name).card.places) <= set(PLACES)


def test_a_place_that_does_not_exist_is_our_own_mistake() -> None:
    with pytest.raises(RuntimeError, match="cellar"):
        at("x", "cellar")


def test_the_study_on_a_trials_page_is_that_trial() -> None:
    board = Path(__file__).parents[3] / "reports" / "leaderboards" / "rotten-tomatoes"
    for record in read_records(board):
        (spec,) = parse_study(json.loads(study_file(record))).specs
        assert spec.trial_id == record.trial_id
