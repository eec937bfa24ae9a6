"""Tasks of one's own data in a study: files beside it, ids that are of the data and not of where they lie."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports import yaml_text
from runners.plan import own_tasks, study
from runners.plan.errors import SpecError
from runners.plan.intrinsic import parse_intrinsic_study
from runners.plan.parts import Part
from runners.plan.spec import TrialSpec
from tasks.spec import DataError, FileSource

ROOT = Path(__file__).parents[3]
BANKING = Path(os.environ.get("PARETUNE_OWN_DATA", ROOT.parent / "shared" / "own-data")) / "banking77"
ROWS = [f"the question of number {i},{'card' if i % 2 else 'cash'}" for i in range(60)]


def write(folder: Path, rows: list[str] = ROWS, **changes: Any) -> str:
    """A study and its data in one folder."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "rows.csv").write_text("\n".join(["text,label", *rows]))
    task = {"name": "intents", "file": "data/rows.csv", "protocol": {"steps": 3}, **changes}
    content = {"tasks": [task, "cola"], "methods": ["head", "lora"], "seeds": [0, 1], "costs": "none"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(content))
    return str(folder / "mine.yaml")


def test_paths_begin_at_the_study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    made = study.read_study(write(tmp_path), data="/glue")
    own, ours = made.specs[0], made.specs[-1]
    assert (own.task, own.data, own.protocol.steps) == ("intents", str(tmp_path / "data"), 3)
    assert (ours.task, ours.data, ours.own) == ("cola", "/glue", None)
    assert made.notes[0] == (
        "intents: 60 rows of rows.csv; 42 to train, 6 to select, 12 to report, split by seed 0."
    )
    assert own.declared.labels == ("card", "cash")
    assert isinstance(own.declared.source, FileSource)
    assert own.declared.main_metric.name == "accuracy"
    assert Part.parse("1/2").of(made).notes == made.notes


def test_the_id_is_of_the_data_and_not_of_where_they_lie(tmp_path: Path) -> None:
    def spec(folder: str, *given: Any, **changes: Any) -> TrialSpec:
        return study.read_study(write(tmp_path / folder, *given, **changes)).specs[0]

    first = spec("here")
    assert spec("there").trial_id == first.trial_id
    assert spec("reordered", ROWS[::-1]).trial_id == first.trial_id
    others = [
        spec("changed", [*ROWS[:-1], "another question,card"]),
        spec("relabelled", [*ROWS[:-1], ROWS[-1].replace("card", "cash")]),
        spec("seed", seed=1),
        spec("labels", labels=["cash", "card"]),
        spec("metric", metric="macro_f1"),
    ]
    assert len({one.trial_id for one in [first, *others]}) == 6
    told = first.model_dump(mode="json")
    assert str(tmp_path) not in str(told)
    assert "rows.csv" not in str(told)
    again = TrialSpec(**told)  # from a record
    assert again.trial_id == first.trial_id
    assert again.declared.labels == first.declared.labels
    travelled = pickle.loads(pickle.dumps(first))
    assert (travelled, travelled.declared) == (first, first.declared)
    assert travelled.files == first.files


def test_a_study_of_intrinsic_dimension_takes_them_as_well(tmp_path: Path) -> None:
    content = study.content(write(tmp_path))
    asked = {"tasks": content["tasks"], "dimensions": [4, 8], "seeds": [0]}
    made = parse_intrinsic_study(study.content("intrinsic") | asked)
    assert {spec.task for spec in made.specs if spec.own} == {"intents"}
    assert made.notes


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"name": "cola"}, SpecError, "cola is the name of another task .Paretune's.: give your own"),
        ({"protocol": 3}, SpecError, "the task intents has the protocol 3, expected a mapping"),
        ({"file": "row.csv"}, DataError, "there is no file 'row.csv'"),
        ({"steps": 3}, SpecError, r"key steps, which is of its training: write protocol: .steps: 3."),
        ({"stepz": 3}, DataError, "has no key 'stepz'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    changes: dict[str, Any], error: type[Exception], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=sentence):
        study.read_study(write(tmp_path, **changes))


@pytest.mark.parametrize("item", [{"mine": {"file": "a.csv"}}, {"file": "a.csv", "text": "t"}])
def test_own_data_that_are_written_otherwise_are_shown_how(item: dict[str, Any]) -> None:
    with pytest.raises(
        SpecError, match=r"own have the name among the keys: \{name: mine, file: a.csv, ...\}"
    ):
        study.parse_study({"name": "s", "tasks": [item], "methods": ["head"]})


@pytest.mark.skipif(not BANKING.is_dir(), reason="the data of banking77 is not beside this repository")
def test_the_study_of_the_documents_can_be_read() -> None:
    page = (ROOT / "docs" / "your-task.md").read_text(encoding="utf-8")
    first, *_ = re.findall("```yaml\n(.*?)```", page, re.DOTALL)
    content = own_tasks.beside({"name": "s", **yaml_text.load(first)}, BANKING)
    made = study.parse_study(content)
    assert len(made.specs) == 9
    assert [f"    {note}\n" in page for note in made.notes] == [True] * 3


def test_two_tasks_have_two_names(tmp_path: Path) -> None:
    write(tmp_path)
    one = {"name": "intents", "file": str(tmp_path / "data" / "rows.csv")}
    content = {"name": "s", "methods": ["head"], "tasks": [one, one | {"seed": 1}]}
    with pytest.raises(SpecError, match="the study has two tasks named intents, expected a name for each"):
        study.parse_study(content)
