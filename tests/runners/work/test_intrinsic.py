from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import methods
from reports import read_records
from reports.records.schema import Record
from runners.executors.local import Local
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.intrinsic import next_dimension, parse_intrinsic_study
from runners.plan.spec import TrialSpec
from runners.work import intrinsic
from tasks import TaskError

from ..command import paretune

GRID = (16, 32, 64, 128, 256)


def content(model: str = "embedded", **changes: Any) -> dict[str, Any]:
    return {
        "kind": "intrinsic",
        "name": "intrinsic-quick",
        "model": model,
        "tasks": ["cola"],
        "method": "said",
        "reference": "full",
        "dimensions": list(GRID),
    } | changes


@pytest.mark.parametrize("answer", [*GRID, None])
def test_bisection_finds_the_step_wherever_it_is(answer: int | None) -> None:
    passed: dict[int, bool] = {}
    while (dimension := next_dimension(GRID, passed)) is not None:
        assert dimension not in passed
        passed[dimension] = answer is not None and dimension >= answer
    assert min((d for d in passed if passed[d]), default=None) == answer
    assert len(passed) <= 4  # the largest, and log2 of the rest
    if answer is None:
        assert passed == {256: False}
    elif answer > 16:
        assert passed[GRID[GRID.index(answer) - 1]] is False


def test_bisection_takes_over_what_is_known_and_ends_where_noise_contradicts() -> None:
    assert next_dimension(GRID, {256: True, 64: False}) == 128
    assert next_dimension(GRID, {256: True, 32: True, 64: False}) == 16
    assert next_dimension(GRID, {256: True, 16: True, 64: False}) is None


def test_the_specs_are_those_of_ordinary_trials() -> None:
    made = parse_intrinsic_study(
        content(
            tasks=[{"cola": {"steps": 7}}],
            method={"method": "did", "options": {"head": "beside"}, "protocol": {"learning_rate": 0.03}},
            seeds=[4, 5],
            protocol={"batch_size": 8},
        ),
        data="somewhere",
    )
    (search,) = made.searches
    assert [spec.seed for spec in search.references] == [4, 5]
    assert search.references[0].protocol.steps == 7
    ((_, spec),) = search.inside[64]
    assert (spec.method, spec.seed, spec.data) == ("did", 5, "somewhere")
    assert spec.options == {"dimension": 64, "head": "beside", "projection": "auto", "seed": None}
    assert spec.protocol.learning_rate == 0.03
    assert search.references[0].protocol.learning_rate == methods.get("full").card.learning_rate


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"dimension": 3}, SpecError, "did you mean dimensions"),
        ({"dimensions": [64, 16]}, SpecError, "that rise"),
        ({"dimensions": [16]}, SpecError, "dimensions"),
        ({"method": "lora"}, SpecError, "lora trains in no subspace whose dimension.*valid: did, said"),
        ({"method": "siad"}, methods.MethodError, "did you mean said"),
        ({"tasks": ["colla"]}, TaskError, "cola"),
    ],
)
def test_bad_studies_are_one_sentence(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        parse_intrinsic_study(content(**change))
    assert "\n" not in str(caught.value)


def pretend(answer: int, full: float = 0.8) -> Any:
    """Stands in for training: a record of a real trial with the score that the dimension would give."""

    def run(spec: TrialSpec, **_: Any) -> Record:
        run.calls.append(spec.options.get("dimension"))  # type: ignore[attr-defined]
        d = spec.options.get("dimension")
        score = full if d is None else 0.75 * full if d < answer else 0.95 * full
        made = run.template  # type: ignore[attr-defined]
        metric = made.task.main_metric
        counts = {
            "method": made.parameters.base if d is None else d,
            "head": 0 if d else made.parameters.head,
        }
        counts["trainable"] = counts["method"] + counts["head"]
        return made.model_copy(
            update={
                "trial_id": spec.trial_id,
                "spec": spec.model_dump(mode="json"),
                "scores": made.scores.model_copy(
                    update={"report": {**made.scores.report, metric: score}, "majority": {metric: 0.0}}
                ),
                "parameters": made.parameters.model_copy(update=counts),
            }
        )

    run.calls = []  # type: ignore[attr-defined]
    return run


@pytest.fixture(scope="module")
def template(tiny_model: str, glue_folder: str) -> Record:
    """The record of one real trial."""
    from runners.trials.trial import run_trial

    spec = TrialSpec(
        model=tiny_model,
        task="cola",
        data=glue_folder,
        method="said",
        options={"dimension": 16},
        protocol={"steps": 2, "evaluate_every": 2, "batch_size": 4},
        costs={"latency_rounds": 10},
    )
    record = run_trial(spec)
    assert record.status == "completed", record.message
    return record


def test_a_trial_in_a_subspace(template: Record) -> None:
    assert template.parameters is not None
    assert (template.parameters.method, template.parameters.head) == (16, 0)
    assert template.parameters.parts == {"coordinates": 13, "scales": 3}
    assert template.latency is not None
    assert template.latency.merged is not None  # merges away


def test_a_search_trains_full_first_then_bisects_and_goes_on_where_it_was(
    template: Record, tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    made = parse_intrinsic_study(content(tiny_model, seeds=[0, 1]), glue_folder)
    run, said = pretend(64), list[str]()
    run.template = template
    records = intrinsic.run(made, tmp_path, [], say=said.append, executor=Local(run))
    assert run.calls == [None, None, 256, 256, 32, 32, 64, 64]  # the middle of what is left, twice
    assert len(records) == len(read_records(tmp_path)) == 8
    assert said == []
    again = pretend(64)
    again.template = template
    assert intrinsic.run(made, tmp_path, [], say=said.append, executor=Local(again)) == records
    assert again.calls == []


def test_every_dimension_tries_the_rates_with_the_first_seed(
    template: Record, tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    made = parse_intrinsic_study(
        content(tiny_model, seeds=[3, 4], dimensions=[16, 32], learning_rates=[0.1, 1.0]), glue_folder
    )
    tried: list[tuple[int | None, int, float | None]] = []

    def run(spec: TrialSpec, **_: Any) -> Record:
        tried.append((spec.options.get("dimension"), spec.seed, spec.protocol.learning_rate))
        record: Record = plain(spec)
        value = 0.9 if spec.protocol.learning_rate == 1.0 else 0.1
        assert record.scores is not None
        scores = record.scores.model_copy(update={"selection": {"matthews_correlation": value}})
        return record.model_copy(update={"scores": scores})

    plain = pretend(16)
    plain.template = template
    intrinsic.run(made, tmp_path, [], say=lambda line: None, executor=Local(run))
    assert tried[2:5] == [(32, 3, 0.1), (32, 3, 1.0), (32, 4, 1.0)]
    assert tried[5:] == [(16, 3, 0.1), (16, 3, 1.0), (16, 4, 1.0)]


def test_nothing_is_searched_for_where_full_fine_tuning_has_no_score(
    template: Record, tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    def fail(spec: TrialSpec, **_: Any) -> Record:
        return template.model_copy(
            update={
                "trial_id": spec.trial_id,
                "spec": spec.model_dump(mode="json"),
                "status": "failed",
                "message": "no luck",
                "scores": None,
            }
        )

    said: list[str] = []
    made = parse_intrinsic_study(content(tiny_model), glue_folder)
    assert len(intrinsic.run(made, tmp_path, [], say=said.append, executor=Local(fail))) == 1
    assert said == ["cola: no trial of full fine-tuning has a score, so there is nothing to search for."]


@pytest.fixture
def sst2_folder(glue_folder: str, tmp_path: Path) -> str:
    """The made sentences as a task whose metric is never 0."""
    shutil.copytree(Path(glue_folder) / "cola", tmp_path / "data" / "sst2")
    return str(tmp_path / "data")


def test_the_command_answers_resumes_and_writes_its_page(
    tiny_model: str,
    sst2_folder: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "out"
    arguments = ["intrinsic", tiny_model, "sst2", "--data", sst2_folder, "--seeds", "1"]
    arguments += ["--dimensions", "16,8", "--learning-rates", "0.1,0.2", "--method", "did:head=beside"]
    arguments += ["--out", str(folder)]
    for setting in ("steps=2", "evaluate_every=2", "batch_size=4"):
        arguments += ["--protocol", setting]
    assert paretune(*arguments) == 0
    shown = capsys.readouterr()
    assert "sst2 / did (dimension=16, learning_rate=0.2) / seed 0: " in shown.err
    page = shown.out.strip().splitlines()[-1]
    assert Path(page).is_file()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert len(kept) >= 2
    assert paretune(*arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["records"] == len(kept)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.json")} == kept


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["embedded", "colla"], "cola"),
        (["embedded", "cola", "--method", "lora"], "no subspace"),
        (["embedded", "cola", "--dimensions", "few"], "received --dimensions 'few'"),
        (["embedded", "cola", "--protocol", "stepps=3"], "did you mean steps"),
        (
            ["embedded", "cola", "--protocol", "steps=3", "--protocol", "epochs=2"],
            "--protocol states steps=3",
        ),
        (["embedded", "cola", "--protocol", "steps=3", "--protocol", "steps=4"], "'steps' twice"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paretune("intrinsic", *arguments) == 2
    assert words in capsys.readouterr().err


def test_the_built_in_study() -> None:
    made = parse_intrinsic_study(study.content("intrinsic"))
    assert [search.task for search in made.searches] == ["rotten_tomatoes", "mrpc"]
    assert all(len(search.references) == 3 for search in made.searches)
    scales = 7  # six blocks and the rest: the smallest dimension must leave room
    assert all(search.dimensions[0] > scales for search in made.searches)
