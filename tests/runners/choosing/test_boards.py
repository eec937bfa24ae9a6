"""What is known of scores, and for which tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

import methods
import tasks
from reports import yaml_text
from reports.records import origins
from runners.choosing import boards, versus
from runners.choosing.answer import Question, answer
from runners.choosing.boards import PUBLISHED, Reach, Sources
from runners.choosing.likeness import of, of_name
from runners.choosing.limits import Limits
from runners.choosing.predicted import Sizes
from runners.plan.errors import SpecError

BOARD = PUBLISHED / "tuned-reviews"


@pytest.fixture(scope="module")
def groups():
    own, published, notes = boards.boards(Sources((BOARD,), (BOARD / "nothing-here",)))
    assert not own
    assert not notes
    return own, published


def test_every_task_is_like_itself_and_says_in_what():
    for name in tasks.names():
        task = tasks.get(name)
        assert of_name(name) == of(task)
        assert task.problem_type.replace("_", " ") in str(of(task))
    assert of_name("not a task") is None


def test_a_board_holds_tasks_like_the_readers_and_no_others(groups):
    everything = boards.known(groups, "embedded", None, None, 0.01)[0]
    assert len(everything.sections) == 2
    for section in everything.sections:
        (board,) = boards.known(groups, "embedded", of_name(section.task), section.task, 0.01)
        alike = {one.task for one in everything.sections if of_name(one.task) == of_name(section.task)}
        assert set(board.reach.tasks) == alike
        assert set(board.choices) == {one.label for one in board.evidence.candidates}


def test_a_label_is_priced_at_its_largest_setting_that_was_run(groups):
    board = boards.known(groups, "embedded", None, None, 0.01)[0]
    for label, choice in board.choices.items():
        records = [r for s in board.sections for row in s.rows if row.label == label for r in row.records]
        assert choice.options in [record.spec["options"] for record in records]
        sizes = [record.parameters.method for record in records]
        chosen = [r.parameters.method for r in records if r.spec["options"] == choice.options]
        assert max(sizes) in chosen


def test_trials_of_searches_and_claims_are_no_evidence(tmp_path, groups):
    assert not any(r.spec.get("search") for group in groups[1] for s in group for r in s.records)
    found = Sources.found(None)
    assert BOARD in found.published
    assert not any(path.name.startswith("claim-") for path in found.published)
    with pytest.raises(SpecError, match="there is nothing at"):
        Sources.found([tmp_path / "nowhere"])


@pytest.fixture
def replaced(monkeypatch):
    """The board is superseded by one of a single task and seed."""
    manifest = yaml_text.load((origins.ROOT / origins.MANIFEST).read_text())
    manifest["superseded"] = {BOARD.name: {"by": "rotten-tomatoes", "why": "said for this test"}}
    monkeypatch.setattr(origins, "_manifest", lambda path: origins._Manifest.model_validate(manifest))
    return Sources((BOARD, PUBLISHED / "rotten-tomatoes"), ())


def test_a_superseded_board_comes_behind_every_other_and_is_averaged_with_none(replaced):
    found = boards.known(boards.boards(replaced)[:2], "embedded", None, None, 0.01)
    studies = [{r.study for section in board.sections for r in section.records} for board in found]
    assert studies == [{"rotten-tomatoes"}, {BOARD.name}]
    assert [board.superseded and board.superseded.by for board in found] == [None, "rotten-tomatoes"]


def test_where_a_superseded_board_is_all_that_is_known_it_is_used_and_told(replaced, tiny_model, monkeypatch):
    monkeypatch.setattr(methods, "names", lambda: ("full", "lora"))  # beside those of the board
    said = f"{BOARD.name} is superseded by rotten-tomatoes: said for this test."
    found = versus.compare("full", "lora", replaced, task="imdb_pair", like=of_name("imdb_pair"))
    assert found.board.reach.tasks == ("imdb_pair",)
    assert said in found.notes
    asked = Question(Sizes(tiny_model, 2, 8), Limits(), task="imdb_pair")
    assert said in answer(asked, replaced, timed=False).sentences
    assert not versus.compare("full", "lora", replaced, task="sst2", like=of_name("sst2")).notes


def test_what_cannot_be_read_is_said_and_the_rest_is_kept(tmp_path: Path):
    (tmp_path / "broken.json").write_text("{")
    own, _, notes = boards.boards(Sources((), (tmp_path,)))
    assert own == []
    assert "broken.json" in notes[0]


def test_the_reach_speaks_up_where_a_reader_has_far_more_or_fewer_examples():
    reach = Reach(("a",), "m", None, 2000, 8000, (3,))
    assert [bool(reach.beside(n)) for n in (None, 100, 999, 1000, 5000, 16_000, 16_001)] == [
        *(False, True, True),
        *(False, False, False),
        True,
    ]
    assert "far fewer than the 2,000 to 8,000" in reach.beside(100)
