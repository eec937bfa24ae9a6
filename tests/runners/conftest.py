"""A tiny real model in a folder and a small real-layout GLUE folder, both made here."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from runners import models
from runners.measure import deployment, machine, timing


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """See :func:`save_tiny_model`."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny-bert"))


def save_tiny_model(folder: Path) -> str:
    """A random BERT of two narrow blocks with the embedded model's tokenizer, saved as a model folder."""
    tokenizer = AutoTokenizer.from_pretrained(models.location("embedded"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def glue_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """stsb and cola with made sentences, in the hub's layout."""
    folder = tmp_path_factory.mktemp("glue")
    nouns = ["river", "engine", "teacher", "garden", "signal", "harbour", "violin", "glacier"]
    verbs = ["moves", "sings", "waits", "turns", "rises", "breaks", "opens", "shines"]

    def sentence(i: int) -> str:
        return f"the {nouns[i % 8]} {verbs[(i // 8) % 8]} near number {i}"

    def write(task: str, split: str, frame: pd.DataFrame) -> None:
        (folder / task).mkdir(exist_ok=True)
        frame.to_parquet(folder / task / f"{split}-00000-of-00001.parquet")

    for split, start, count in (("train", 0, 200), ("validation", 1000, 40)):
        rows = range(start, start + count)
        pairs = {
            "sentence1": [sentence(2 * i) for i in rows],
            "sentence2": [sentence(2 * i + 1) for i in rows],
            "label": [float(i % 6) for i in rows],
            "idx": list(range(count)),
        }
        write("stsb", split, pd.DataFrame(pairs))
        single = {
            "sentence": [sentence(i) for i in rows],
            "label": [i % 2 for i in rows],
            "idx": list(range(count)),
        }
        write("cola", split, pd.DataFrame(single))
    return str(folder)


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time switches and the machine for a blink: here what is in a record counts, not how sure a time is."""
    for module in (deployment, machine):
        monkeypatch.setattr(module, "measure", partial(module.measure, seconds=0.03))


@pytest.fixture
def quick() -> dict[str, object]:
    """A protocol that trains for a blink."""
    return {"steps": 6, "evaluate_every": 3, "batch_size": 8}


@pytest.fixture
def brief() -> dict[str, object]:
    """How costs are measured in a blink."""
    latency: dict[str, object] = {"latency_rounds": 10, "latency_length": 8}
    return {**latency, "decoding_rounds": 10, "decoding_prompt": 5, "decoding_tokens": 3}


def folder_state(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and modification time of every record, to see what was rewritten."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.glob("*.json")}


class Clock:
    """Stands in for `perf_counter_ns`; contenders move it by what they cost."""

    def __init__(self, monkeypatch):
        self.now = 0
        self.calls = []
        monkeypatch.setattr(timing.time, "perf_counter_ns", lambda: self.now)

    def contender(self, name, cost):
        def call():
            self.calls.append(name)
            self.now += int(cost() if callable(cost) else cost)

        return call


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)
