"""PEFT's own results as records: nothing is made up, nothing is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reports import RecordError, build_site, compare, read_records, write_record
from reports.records.consistency import arithmetic_faults
from reports.records.origins import origins
from reports.records.peft_comparison import latest, read_peft_result
from reports.records.store import located_records

from ..sound import spoiled

SAMPLES = Path(__file__).parents[1] / "peft_results"
LORA = SAMPLES / "lora--llama-3.2-3B-rank32.json"
FULL = SAMPLES / "full-finetuning--llama-3.2-3B-lr_0.00001.json"


def _content(file: Path = LORA) -> dict[str, Any]:
    return json.loads(file.read_text())


def _read(folder: Path, data: dict[str, Any], name: str = "a.json"):
    (folder / name).write_text(json.dumps(data))
    return read_peft_result(folder / name)


def test_numbers_are_theirs():
    record, data = read_peft_result(LORA), _content()
    info = data["train_info"]
    assert (record.status, record.message) == ("completed", None)
    assert record.scores.report["accuracy"] == info["metrics"][-1]["test accuracy"]
    assert record.scores.report["forgetting"] == info["metrics"][-1]["forgetting"]
    assert record.parameters.method == record.parameters.trainable == 9_175_040
    assert record.parameters.base == 3_212_749_824
    assert record.checkpoint_bytes == 36_715_216
    assert record.memory.peak_training_bytes == info["accelerator_memory_max"]
    assert record.training.steps == 5000
    assert record.training.examples == 20_000
    times = [point["train time"] for point in info["metrics"] if "train time" in point]
    assert record.training.seconds == pytest.approx(sum(times))
    assert record.training.seconds < info["train_time"]
    assert [point.step for point in record.curve] == list(range(250, 5001, 250))
    assert record.environment.packages["torch"] == "2.13.0+cu130"
    assert record.environment.device_name == "NVIDIA L40S"
    assert record.environment.commit == "d787f51bbaa196862733ed53c1b7def75b49ab29"


def test_what_they_do_not_tell_is_null():
    record = read_peft_result(LORA)
    assert record.task.sizes.model_dump() == {"train": None, "selection": None, "report": None}
    assert (record.task.data_sha256, record.parameters.stored) == (None, None)
    assert (record.environment.threads, record.environment.python) == (None, None)
    assert record.environment.tree_clean is None
    assert (record.latency, record.compute, record.serving) == (None, None, None)
    assert record.scores.majority == {}


def test_every_setting_is_kept():
    record, data = read_peft_result(LORA), _content()
    assert record.suite.original == data
    assert record.spec["options"]["r"] == 32
    assert record.spec["options"]["target_modules"] == ["q_proj", "v_proj"]
    assert record.spec["options"]["use_dora"] is False
    assert record.spec["protocol"]["optimizer_kwargs.lr"] == 1e-4
    assert record.spec["protocol"]["query_template"] == data["run_info"]["train_config"]["query_template"]
    assert record.spec["seed"] == 0
    assert record.suite.experiment == "lora/llama-3.2-3B-rank32"
    assert record.suite.label == "lora/rank32"


def test_full_fine_tuning_has_no_configuration():
    record = read_peft_result(FULL)
    assert record.spec["options"] == {}
    assert record.spec["method"] == "full-finetuning"
    assert record.parameters.base == record.parameters.method == 3_212_749_824
    assert any("estimate" in note for note in record.suite.notes)


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("train_info.file_size", 99999999, lambda record: record.checkpoint_bytes),
        ("train_info.metrics.20.forgetting", 123, lambda record: record.scores.report["forgetting"]),
        ("train_info.metrics.20.forgetting", 123.0, lambda record: record.scores.report["forgetting"]),
        ("train_info.metrics.20.test accuracy", None, lambda record: record.scores.report["accuracy"]),
        ("train_info.metrics.3.train loss", float("nan"), lambda record: record.curve[3].train_loss),
        ("train_info.accelerator_memory_max", 99999999, lambda record: record.memory),
        ("train_info.num_trainable_params", None, lambda record: record.suite and None),
    ],
)
def test_missing_stays_missing(tmp_path, path, value, found):
    data = spoiled(_content(), path, value)
    if path.endswith("num_trainable_params"):
        with pytest.raises(RecordError, match=r"\$\.parameters is null, but the trial is marked completed"):
            _read(tmp_path, data)
        return
    assert found(_read(tmp_path, data)) is None


def test_no_forgetting_at_all(tmp_path):
    data = _content()
    del data["train_info"]["metrics"][-1]["forgetting"]
    assert _read(tmp_path, data).scores.report == {
        "accuracy": data["train_info"]["metrics"][-1]["test accuracy"],
        "forgetting": None,
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("manually canceled", "failed"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "out_of_memory"),
        ("", "failed"),
    ],
)
def test_failed_stays_failed(tmp_path, error, status):
    data = spoiled(_content(), "train_info.status", "canceled")
    data["run_info"]["error_msg"] = error
    data["train_info"]["metrics"] = data["train_info"]["metrics"][:4]
    record = _read(tmp_path, data)
    assert (record.status, record.scores) == (status, None)
    assert record.message == f"canceled: {error or 'no message'}"
    assert record.suite.status == "canceled"
    assert record.training.steps == 1000
    data["train_info"]["metrics"] = []
    record = _read(tmp_path, data)
    assert (record.training, record.curve) == (None, ())


def test_without_step_times_their_train_time_counts(tmp_path):
    data = _content()
    for point in data["train_info"]["metrics"]:
        point.pop("train time", None)
    record = _read(tmp_path, data)
    assert record.training.seconds == data["train_info"]["train_time"]
    assert "also counts the test" in record.suite.notes[0]


def test_older_names_and_a_dirty_tree(tmp_path):
    data = _content()
    info = data["train_info"]
    info["cuda_memory_max"] = info.pop("accelerator_memory_max")
    data["meta_info"]["package_info"]["peft_worktree_is_dirty"] = True
    record = _read(tmp_path, data)
    assert record.memory.peak_training_bytes == 22_292_725_760
    assert record.environment.tree_clean is False


FOREIGN = [
    ({"a": 1}, r"\$\.run_info is None, expected an object"),
    ({"run_info": {}, "train_info": {}, "meta_info": {}}, r"\$\.run_info\.train_config is None"),
]


@pytest.mark.parametrize(("data", "message"), FOREIGN)
def test_what_is_none_of_their_results(tmp_path, data, message):
    with pytest.raises(RecordError, match=message):
        _read(tmp_path, data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("meta_info.dataset_info", {"coco": {}}, r"only that task is known"),
        ("run_info.total_time", None, r"\$\.run_info\.total_time is None, expected seconds"),
        ("run_info.train_config.seed", "0", r"\$\.spec\.seed is '0', expected int"),
        ("train_info.metrics.20.test accuracy", 1.5, r"\$\.scores\.report\.accuracy is 1\.5, outside 0 to 1"),
        ("train_info.num_total_params", 5, r"\$\.train_info\.num_total_params is 5, not more"),
        ("run_info.experiment_name", "", r"\$\.run_info\.experiment_name is '', expected text"),
        ("train_info.metrics.0.step", -1, r"as a record, \$\.curve\[0\]\.step"),
    ],
)
def test_contradictions_are_one_sentence(tmp_path, path, value, message):
    with pytest.raises(RecordError, match=message) as caught:
        _read(tmp_path, spoiled(_content(), path, value))
    assert "\n" not in str(caught.value)


def test_the_most_recent_run_counts(tmp_path):
    old = _read(tmp_path, spoiled(_content(), "run_info.created_at", "2020-01-01T00:00:00+00:00"))
    new, full = read_peft_result(LORA), read_peft_result(FULL)
    assert latest([new, old, full]) == [full, new]


def test_a_page_of_its_own_never_ranked_with_ours(make_record, tmp_path):
    for file in sorted(SAMPLES.glob("*.json")):
        write_record(read_peft_result(file), tmp_path / "peft")
    records = read_records(tmp_path / "peft")
    assert [list(arithmetic_faults(record)) for record in records] == [[]] * 3
    table = compare([make_record(), *records])
    assert table["model"].tolist() == ["embedded"] + ["meta-llama/Llama-3.2-3B"] * 3
    assert table["label"].tolist() == [
        "lora",
        "lora/rank32",
        "full-finetuning/lr_0.00001",
        "lora/rank32-dora",
    ]
    known = origins(located_records(tmp_path / "peft"))
    assert {origin.told for origin in known.values()} == {
        "self-reported as another suite’s (PEFT method_comparison)"
    }
    page = build_site([make_record(), *records], tmp_path / "site", origins=known)
    ours = page.read_text()
    theirs = "".join((page.parent / name).read_text() for name in ("imported.html", "imported-results.html"))
    assert 'href="imported.html"' in ours
    assert "rank32-dora" not in ours
    assert "0.478" in theirs
    assert "36.7 MB" in theirs
    assert "9,175,040" in theirs
    assert "These are not ours" in theirs
    assert "their train_time also counts the test" in theirs
    assert re.search(r"https://github\.com/huggingface/peft", theirs)
    alone = build_site(records, tmp_path / "alone")
    assert "These are not ours" in alone.read_text()
