"""Tasks and methods that are registered: trained, told apart in records and pages, refused where unknown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import methods
import tasks
from methods import MethodError
from methods.core import Card, LogUniform, Method, NoOptions, SearchSpace, Work, at
from reports import build_site, write_record
from reports.records.identity import identity
from reports.records.schema import Record
from reports.records.validate import validate
from runners.executors.workers import Workers
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.share.catalogue import catalogue
from runners.share.validation import against_the_code
from runners.trials.trial import run_trial
from runners.work.execute import run_study
from runners.work.search import run_searches
from tasks import RowsSource, TaskError, TaskSpec
from tasks.spec import ACCURACY


class Scarce(Method[NoOptions]):
    """Nothing trains but the head."""

    name = "scarce"
    options = NoOptions
    card = Card(
        summary="Nothing trains but the head.",
        source="no paper, a test",
        places=at("nothing", "feed_forward_output"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2)),
        work=lambda geometry, options: Work(),
    )

    def inject(self, anatomy: Any, options: NoOptions) -> Any:
        from methods.core import Injection

        return Injection(options)

    def count(self, geometry: Any, options: NoOptions) -> dict[str, int]:
        return {}


def rows(split: str) -> list[dict[str, Any]]:
    return [{"text": f"{split} number {i}", "label": ("even", "odd")[i % 2]} for i in range(60)]


PARITY = TaskSpec(
    *("parity", 1, "Odd or even", "What is odd.", "classification", ("text",), "label", ("even", "odd")),
    *((ACCURACY,), RowsSource("numbers", rows), "CC0-1.0", "@misc{parity,\n}", ""),
)


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task and a method that are registered for the time of a test."""
    for package, ours in ((tasks, "_TASKS"), (methods, "REGISTRY")):
        known = dict(getattr(package, ours))
        registry = package._REGISTRY
        monkeypatch.setattr(package, ours, known)
        monkeypatch.setattr(
            package, "_REGISTRY", type(registry)(registry.kind, known, registry._check, registry._error)
        )
    tasks.register(PARITY)
    methods.register(Scarce())


@pytest.fixture
def content(tiny_model: str, quick: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "own",
        "models": [tiny_model],
        "tasks": ["parity"],
        "methods": ["scarce", "head"],
        "protocol": quick,
        "costs": "none",
    }


@pytest.mark.usefixtures("brought")
def test_a_trial_of_them_is_trained_and_says_whose_they_are(content: dict[str, Any], tmp_path: Path) -> None:
    read = study.parse_study(content)
    scarce, head = records = run_study(read, tmp_path / "records", [])
    assert [record.status for record in records] == ["completed", "completed"]
    assert scarce.scores == head.scores  # it is `head` by another name
    told = f"registered by {__name__}"
    assert scarce.task is not None
    assert (scarce.task.origin, scarce.method_origin, head.method_origin) == (told, told, None)
    assert scarce.task.source == "rows of numbers"
    assert not any(one.faults for one in validate([tmp_path / "records"], further=[against_the_code]))
    page = build_site(records, tmp_path / "site", catalogue=catalogue())
    for name in ("methods/scarce.html", "methods/index.html", "tasks/parity.html", "tasks/index.html"):
        text = (page.parent / name).read_text(encoding="utf-8")
        assert text.count("Not one of Paretune’s") + text.count("ot Paretune’s: ") == 1
        assert told in text
    board = (page.parent / "tasks/parity.html").read_text(encoding="utf-8")
    assert f"Not of Paretune: the task parity ({told}) and the method scarce ({told})." in board
    own = [path.read_text(encoding="utf-8") for path in (page.parent / "records").glob("*.html")]
    needed = f"Not of Paretune, and needed beside it: the method ({told}), the task ({told})."
    assert sorted(needed in text for text in own) == [False, True]  # `head` is ours
    assert "Paretune’s methods" not in (page.parent / "methods/head.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("brought")
def test_a_record_of_another_version_is_not_gone_on_with(content: dict[str, Any], tmp_path: Path) -> None:
    read = study.parse_study(content | {"methods": ["scarce"]})
    record = run_trial(read.specs[0], study="own")
    write_record(record.model_copy(update={"method_origin": "a-package 1.0"}), tmp_path)
    said = r"with another method of this name \(a-package 1\.0; here registered by "
    with pytest.raises(SpecError, match=said):
        run_study(read, tmp_path, [])


@pytest.mark.usefixtures("brought")
def test_two_strangers_of_one_name_are_two_rows(content: dict[str, Any]) -> None:
    spec = study.parse_study(content).specs[0]
    record = run_trial(spec)
    other = record.model_copy(update={"method_origin": "somebody-else 2"})
    ours = record.model_copy(update={"method_origin": None})
    assert len({identity(one).variant for one in (record, other, ours)}) == 3


@pytest.mark.usefixtures("brought")
def test_other_processes_are_asked_for_nothing_that_they_do_not_know(
    content: dict[str, Any], tmp_path: Path
) -> None:
    with Workers(1) as workers:
        ours = (({"methods": ["head"]}, "task 'parity'"), ({"tasks": ["cola"]}, "method 'scarce'"))
        for known, kind in ours:
            said = f"the {kind}, registered by {__name__}, is known to this process alone"
            with pytest.raises(SpecError, match=said) as error:
                run_study(study.parse_study(content | known), tmp_path, [], executor=workers)
            assert "entry point of the group paretune." in str(error.value)
            tuned = study.parse_study(content | known | {"tuning": {"trials": 2}})
            with pytest.raises(SpecError, match=said):
                run_searches(tuned, tmp_path, [], executor=workers)
        assert workers._workers == [None]  # none was started
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.usefixtures("brought")
def test_a_record_does_not_call_ours_a_strangers(
    content: dict[str, Any], glue_folder: str, tmp_path: Path
) -> None:
    record: Record = run_trial(study.parse_study(content | {"tasks": ["cola"]}, glue_folder).specs[1])
    assert record.task is not None
    forged = record.task.model_copy(update={"origin": "somebody 1"})
    found = against_the_code(record.model_copy(update={"task": forged}))
    assert found.faults == ["$.task.origin is 'somebody 1', but cola is one of Paretune's: expected null"]
    write_record(record, tmp_path)  # one that is not forged has no fault
    assert not any(one.faults for one in validate([tmp_path], further=[against_the_code]))


@pytest.mark.usefixtures("brought")
def test_ids_do_not_depend_on_who_brings_a_method(tiny_model: str) -> None:
    spec = TrialSpec(model=tiny_model, task="parity", method="scarce")
    assert "origin" not in str(spec.model_dump())


@pytest.mark.usefixtures("brought")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Scarce(), "the name 'scarce' is taken, by a method registered by"),
        (type("Lora", (Scarce,), {"name": "lora"})(), "'lora' is taken, by a method of Paretune"),
        (type("Bad", (Scarce,), {"name": "two words"}), "expected letters, digits"),
        (type("Bad", (Scarce,), {"name": None}), "has no name that is a str"),
        (type("Bad", (Scarce,), {"name": "bad", "card": "x"}), "has no card that is a Card"),
        (type("Bad", (Scarce,), {"name": "bad", "options": dict}), "expected a class that extends"),
        (type("Bad", (Method,), {"name": "bad"}), "is not complete"),
        ("lora", "received 'lora', expected a method"),
    ],
)
def test_what_is_no_method_is_refused(given: Any, said: str) -> None:
    before = methods.names()
    with pytest.raises(MethodError, match=said):
        methods.register(given)
    assert methods.names() == before


@pytest.mark.usefixtures("brought")
def test_what_is_no_task_is_refused() -> None:
    unnamed = replace(PARITY, name="a b")
    for given, said in ((PARITY, "taken"), ("mrpc", "expected a task"), (unnamed, "expected letters")):
        with pytest.raises(TaskError, match=said):
            tasks.register(given)  # type: ignore[arg-type]
