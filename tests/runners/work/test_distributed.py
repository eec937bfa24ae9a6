"""Several processes on the CPU: the same code as on several GPUs, with gloo in NCCL's place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from reports import read_records
from runners import models
from tests.methods.conftest import build
from tests.runners.folders import word_tokenizer
from tests.runners.names import own_task

from .forked import PLACES

FAULTS = ("out_of_memory", "failed")
ALIKE: dict[str, dict[str, Any]] = {
    "batches that are no multiple": {"batch_size": 10, "scored_examples": 33},
    "fewer rows than a batch": {"batch_size": 32, "train_examples": 16},
    "fewer rows than processes": {"batch_size": 2, "scored_examples": 2},
    "a front that is kept": {"batch_size": 10, "scored_examples": 33},
    "a mean over labelled words": {"batch_size": 5, "micro_batch": 2, "scored_examples": 11},
    "text that is written": {"batch_size": 10, "scored_examples": 9, "generation": {"longest": 6}},
}
FRONTED: dict[str, Any] = {"method": "top_layers", "options": {"layers": 1}}
"""What is trained where a front is kept."""
BROKEN = [
    (place, number % 2, FAULTS[number // 2 % 2])
    for number, place in enumerate(place for place in PLACES if place not in ("keeping", "costs"))
]
"""Every place that all processes come to, and which of two fails there in what way."""


def written(folder: Path) -> dict[str, Any]:
    """A model that writes, and pairs whose targets are of different lengths."""
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    build("llama", "causal", **ids).save_pretrained(folder / "writer")
    tokenizer = word_tokenizer(pad_token="t0", bos_token="t1", eos_token="t2", unk_token="t3")
    tokenizer.save_pretrained(folder / "writer")
    rows = [{"text": f"t{i} t{i + 1}", "target": " ".join([f"t{i}"] * (1 + i % 4))} for i in range(10, 90)]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    own = {"name": "pairs", "file": str(folder / "pairs.jsonl"), "target": "target"}
    return {"models": [str(folder / "writer")], "tasks": [own]}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, glue_folder: str) -> Path:
    """Everything that is done here in several processes, done at once: they take seconds to start."""
    folder = tmp_path_factory.mktemp("processes")
    tokenizer = AutoTokenizer.from_pretrained(models.location("embedded"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes, **none)
    BertForSequenceClassification(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")

    words = own_task(folder)

    def study(
        name: str, methods: list[Any], costs: Any = "none", task: Any = "stsb", **protocol: Any
    ) -> dict[str, Any]:
        protocol = {"steps": 4, "evaluate_every": 2, "batch_size": 8, "learning_rate": 3e-3} | protocol
        listed = {"models": [str(folder / "model")], "tasks": [task], "methods": methods}
        return {"name": name, "data": glue_folder, "protocol": protocol, "costs": costs, **listed}

    brief = {"latency_rounds": 10, "latency_length": 8}
    alike = [
        {
            "study": study(
                "alike",
                [FRONTED if "front" in name else "lora"],
                task=words if "words" in name else "stsb",
                **protocol,
            )
        }
        for name, protocol in ALIKE.items()
    ]
    alike[list(ALIKE).index("text that is written")]["study"] |= written(folder)
    dropping = {"study": study("dropout", [{"method": "lora", "options": {"dropout": 0.5}}])}
    broken = [
        {"study": study("broken", ["bitfit"] + ["head"] * (place == "step"), spent)}
        | {"place": place, "rank": rank, "fault": fault}
        for place, rank, fault in BROKEN
        for spent in (brief if place == "memory" else "none",)
    ]
    keeping, costs = (
        {"study": study("broken", ["bitfit"], spent), "place": place, "rank": 0, "fault": fault}
        for place, fault, spent in (("keeping", "full", "none"), ("costs", "failed", brief))
    )
    killed = [{"study": study("killed", ["bitfit"]), "place": "step", "rank": 1, "fault": "killed"}]
    (folder / "command.yaml").write_text(yaml.safe_dump(study("command", ["lora"], brief)))
    arguments = ["run", str(folder / "command.yaml"), "--json", "--out", str(folder / "out")]
    jobs = [
        *({"do": "studies", "processes": n, "studies": [*alike, dropping]} for n in (1, 2, 3)),
        {"do": "studies", "processes": 2, "studies": [*broken, keeping, costs]},
        {"do": "studies", "processes": 2, "studies": killed},
        {"do": "command", "processes": 2, "arguments": arguments},
        {"do": "average", "processes": 3},
    ]
    names = ["alike1", "alike2", "alike3", "broken", "killed", "command", "average"]
    for name, job in zip(names, jobs, strict=True):
        job["folder"] = str(folder / name)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    root = Path(__file__).parents[3]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(root)}
    subprocess.run(
        [sys.executable, str(Path(__file__).with_name("forked.py")), str(folder / "jobs.json")],
        env=environment,
        check=True,
        timeout=300,
    )
    return folder


def told(results: Path, name: str) -> list[list[list[dict[str, Any]]]]:
    """What every process of a job was given: the records of every study."""
    codes = json.loads((results / name / "codes.json").read_text())
    assert set(codes) == {0}
    return [json.loads((results / name / f"{rank}.json").read_text()) for rank in range(len(codes))]


def test_every_process_has_the_record_that_the_first_wrote(results: Path) -> None:
    for name in ("alike2", "alike3", "broken"):
        first, *others = told(results, name)
        assert all(other == first for other in others)
        for number, records in enumerate(first):
            written = read_records(results / name / str(number))
            by_id = {record.trial_id: record.model_dump(mode="json") for record in written}
            assert by_id == {record["trial_id"]: record for record in records}


@pytest.mark.parametrize("number", range(len(ALIKE)), ids=ALIKE)
def test_one_two_and_three_processes_do_the_same_trial(results: Path, number: int) -> None:
    (one,), (two,), (three,) = (told(results, f"alike{n}")[0][number] for n in (1, 2, 3))
    assert one["environment"]["processes"] == 1
    for several, count in ((two, 2), (three, 3)):
        assert several["status"] == "completed", several["message"]
        assert several["environment"]["processes"] == count
        assert several["trial_id"] == one["trial_id"]
        assert several["training"]["examples"] == one["training"]["examples"] > 0
        assert several["training"]["reused_blocks"] == one["training"]["reused_blocks"]
        assert several["scores"]["best_step"] == one["scores"]["best_step"]
        assert several["scores"]["majority"] == one["scores"]["majority"]
        for before, after in zip(one["curve"], several["curve"], strict=True):
            assert after["train_loss"] == pytest.approx(before["train_loss"], rel=1e-4)
            assert after["selection"] == pytest.approx(before["selection"], abs=1e-3)
        assert several["scores"]["report"] == pytest.approx(one["scores"]["report"], abs=1e-3)
        # Each pads its share to its own longest row; of what is no padding there is the same.
        real = [r["training"]["mean_length"] * (1 - r["training"]["padding_share"]) for r in (one, several)]
        assert real[0] == pytest.approx(real[1])
        # Texts are computed in parts of similar length, which a smaller share has fewer of.
        if "text" not in list(ALIKE)[number]:
            assert several["training"]["mean_length"] <= one["training"]["mean_length"]


def test_every_process_draws_its_own_dropout(results: Path) -> None:
    for count in (1, 2, 3):
        seeds = [
            json.loads((results / f"alike{count}" / f"{rank}.seeds").read_text()) for rank in range(count)
        ]
        of_dropping = [each[len(ALIKE)] for each in seeds]
        assert len(set(of_dropping)) == count
        assert of_dropping[0] == 0  # as in a process alone
    losses = [told(results, f"alike{n}")[0][len(ALIKE)][0]["curve"][-1]["train_loss"] for n in (1, 2, 3)]
    assert losses == pytest.approx([losses[0]] * 3, rel=0.05)


@pytest.mark.parametrize(("number", "place", "rank", "status"), [(i, *each) for i, each in enumerate(BROKEN)])
def test_what_ends_one_process_ends_the_trial_and_not_the_study(
    results: Path, number: int, place: str, rank: int, status: str
) -> None:
    ended, *after = told(results, "broken")[0][number]
    assert ended["status"] == status
    assert ended["message"].startswith("process 1 " if rank == 1 else ("OutOfMemory", "ValueError"))
    assert {"out_of_memory": "no room", "failed": "broken"}[status] in ended["message"]
    assert [record["status"] for record in after] == ["completed"] * (place == "step")


def test_a_method_that_the_first_process_cannot_keep_is_none_of_the_others(results: Path) -> None:
    (record,) = told(results, "broken")[0][-2]
    assert (record["status"], record["checkpoint_sha256"]) == ("completed", None)


def test_costs_that_the_first_process_cannot_measure_are_gaps(results: Path) -> None:
    (record,) = told(results, "broken")[0][-1]
    assert record["status"] == "completed"
    assert set(record["gaps"]) == {"compute", "latency", "serving"}


def test_a_process_that_is_killed_ends_the_run_and_no_trial(results: Path) -> None:
    """The trial is not at fault: nothing is recorded, and the next run does it."""
    assert json.loads((results / "killed" / "codes.json").read_text()) == [1, -9]
    assert not list((results / "killed").glob("**/*--*.json"))


def test_one_process_prints_and_writes(results: Path) -> None:
    assert json.loads((results / "command" / "codes.json").read_text()) == [0, 0]
    (printed,) = json.loads((results / "command" / "0.out").read_text())
    assert (results / "command" / "1.out").read_text() == ""
    (written,) = read_records(results / "out")
    assert written.model_dump(mode="json") == printed
    assert written.status == "completed"
    assert written.gaps == {}
    assert written.latency is not None
    assert written.memory is not None
    assert written.memory.batch_size == 4  # of one process


def test_gradients_are_those_of_all_rows_however_they_lie(results: Path) -> None:
    """Two rows on three processes, one of them without any; a parameter that none uses has no gradient."""
    for rank in range(3):
        found = json.loads((results / "average" / f"{rank}.json").read_text())
        assert max(map(abs, found["off"])) < 1e-12
        assert found["unused"]
