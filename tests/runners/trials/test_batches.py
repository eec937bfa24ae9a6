from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast
from transformers.tokenization_python import PythonBackend

import tasks
from runners import models
from runners.trials import batches
from tests.methods.cells import NOT_OF_TEXT, apply, perturb
from tests.methods.conftest import ARCHITECTURES
from tests.runners.folders import saved, word_tokenizer

LENGTHS = np.random.default_rng(0).integers(3, 80, size=1000).tolist()


def test_an_epoch_holds_every_row_once_but_the_rest() -> None:
    made = list(batches.LengthGroupedBatches(LENGTHS, 32, 31, seed=0))
    assert len(made) == 31
    assert {len(batch) for batch in made} == {32}
    assert max(Counter(i for batch in made for i in batch).values()) == 1


def test_goes_on_for_as_many_epochs_as_needed() -> None:
    made = list(batches.LengthGroupedBatches(LENGTHS, 32, 70, seed=0))
    assert len(made) == 70
    assert made[:31] != made[31:62]
    counts = Counter(i for batch in made for i in batch)
    assert max(counts.values()) <= 3
    assert len(counts) > 995  # each epoch leaves 8 other rows out


def test_fewer_rows_than_a_batch() -> None:
    made = list(batches.LengthGroupedBatches([5, 6, 7], 32, 4, seed=0))
    assert [sorted(batch) for batch in made] == [[0, 1, 2]] * 4


def test_the_seed_decides_the_order() -> None:
    def order(seed: int) -> list[list[int]]:
        return list(batches.LengthGroupedBatches(LENGTHS, 16, 40, seed=seed))

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_batches_waste_little_and_their_order_is_not_by_length() -> None:
    made = list(batches.LengthGroupedBatches(LENGTHS, 32, 31, seed=0))
    longest = [max(LENGTHS[i] for i in batch) for batch in made]
    waste = 1 - sum(LENGTHS[i] for batch in made for i in batch) / sum(32 * top for top in longest)
    assert waste < 0.15  # random batches of these lengths waste about 0.48
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


@pytest.mark.parametrize(
    ("epochs", "examples", "expected"), [(1, 7251, 226), (0.5, 7251, 113), (3, 10, 3), (0.001, 10, 1)]
)
def test_steps_of(epochs: float, examples: int, expected: int) -> None:
    assert batches.steps_of(epochs, examples, 32) == expected


def test_encoding_keeps_labels_and_cuts_length(glue_folder: str) -> None:
    full = batches.encode("embedded", "stsb", glue_folder, "train", max_length=64)
    cut = batches.encode("embedded", "stsb", glue_folder, "train", max_length=10)
    assert max(cut.lengths) == 10 < max(full.lengths)
    assert np.array_equal(cut.labels(), full.labels())
    assert full[0].keys() == {"input_ids", "token_type_ids", "attention_mask", "labels"}
    assert set(full[0]["token_type_ids"]) == {0, 1}


@pytest.mark.parametrize("task", ["stsb", "cola"])
def test_what_is_cut_is_counted(task: str, glue_folder: str) -> None:
    full = batches.encode("embedded", task, glue_folder, "train", max_length=512)
    assert not full.cut.any()
    for limit in (8, 9, *sorted(set(full.lengths.tolist()))):
        part = batches.encode("embedded", task, glue_folder, "train", max_length=limit)
        assert np.array_equal(part.cut, full.lengths > limit)
    some = part.part([5, 3, 5])
    assert [*some] == [part[i] for i in (5, 3, 5)]
    assert some.lengths.tolist() == part.lengths[[5, 3, 5]].tolist()
    assert some.cut.tolist() == part.cut[[5, 3, 5]].tolist()


class Slow(PythonBackend):
    """A tokenizer in Python: it splits at spaces and keeps no overflow."""

    vocab_files_names: ClassVar = {}
    model_input_names: ClassVar = ["input_ids", "attention_mask"]

    @property
    def vocab_size(self) -> int:
        return 1000

    def get_vocab(self) -> dict[str, int]:
        return {"<pad>": 0}

    def _tokenize(self, text: str) -> list[str]:
        return text.split()

    def _convert_token_to_id(self, token: str) -> int:
        return 1 + hash(token) % 900

    def _convert_id_to_token(self, index: int) -> str:
        return str(index)


@pytest.mark.parametrize("task", ["stsb", "cola"])
def test_a_tokenizer_in_python_counts_alike(
    task: str, glue_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(pad_token="<pad>")
    monkeypatch.setattr(batches.models, "tokenizer", lambda name: slow)
    full = batches.encode("slow", task, glue_folder, "train", max_length=512)
    for limit in (4, *sorted(set(full.lengths.tolist()))):
        part = batches.encode("slow", task, glue_folder, "train", max_length=limit)
        assert np.array_equal(part.cut, full.lengths > limit)


def test_collator_pads_to_the_longest_row() -> None:
    tokenizer = models.tokenizer("embedded")
    rows = [{"input_ids": [101, 102], "labels": 1}, {"input_ids": [101, 7, 8, 102], "labels": 0}]
    batch = batches.Collator(tokenizer)(rows)
    assert batch["input_ids"].tolist() == [[101, 102, 0, 0], [101, 7, 8, 102]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch["labels"].dtype == torch.int64
    assert batches.Collator(tokenizer)([{"input_ids": [1], "labels": 2.5}])["labels"].dtype == torch.float32


def test_scoring_sees_every_row_once_longest_first(glue_folder: str) -> None:
    split = batches.encode("embedded", "cola", glue_folder, "report", max_length=64)
    loader = batches.scoring_loader(split, models.tokenizer("embedded"), 7)
    widths = [batch["input_ids"].shape[1] for batch in loader]
    labels = [label for batch in loader for label in batch["labels"].tolist()]
    assert widths == sorted(widths, reverse=True)
    assert Counter(labels) == Counter(split.labels().tolist())


def texts(model: Any) -> list[dict[str, Any]]:
    """Rows of several lengths. A decoder's end with tokens that one or the other calls padding."""
    generator, rows = torch.Generator().manual_seed(4), []
    ending = model.config.eos_token_id if model.config.is_encoder_decoder else None  # their heads read it
    for length, last in ((5, 0), (11, 2), (1, 7), (8, 1), (11, 6), (3, 2)):
        ids = torch.randint(4, 120, (length,), generator=generator).tolist()
        ids[-1] = last if ending is None else ending
        rows.append({"input_ids": ids, "attention_mask": [1] * length, "labels": 0})
    return rows


def differences(model: Any, name: str) -> list[float]:
    """How far the logits of a batch are from those of its rows one by one, by the real collator."""
    collate, rows = batches.Collator(models.tokenizer(name)), texts(model)

    def answers(some: list[dict[str, Any]]) -> torch.Tensor:
        batch = collate(some)
        batch.pop("labels")
        with torch.no_grad():
            return model(**batch).logits

    together = answers(rows)
    alone = torch.cat([answers([row]) for row in rows])
    assert alone.std(dim=0).min() > 0.01  # they are answers
    return (together - alone).abs().amax(dim=1).tolist()


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if a not in NOT_OF_TEXT])
def test_a_batch_is_its_rows_one_by_one(architecture: str, tmp_path: Path) -> None:
    """Whatever is called padding, on whatever side, and whatever a text ends with."""
    tokenizer = word_tokenizer(eos_token="t2", padding_side="left")
    name = saved(tmp_path, architecture, tokenizer)
    torch.manual_seed(0)
    model = models.classifier(name, tasks.get("mnli"))
    assert differences(model, name) == pytest.approx([0] * 6, abs=2e-4)


def test_a_text_without_tokens_is_the_end_of_one(glue_folder: str, tmp_path: Path) -> None:
    """This tokenizer knows four signs, and leaves out what it does not know."""
    signs = Tokenizer(BPE({"A": 0, "1": 1, "2": 2, ".": 3, "end": 4}, []))
    name = saved(tmp_path, "gpt2", PreTrainedTokenizerFast(tokenizer_object=signs, eos_token="end"))
    split = batches.encode(name, "cola", glue_folder, "train", max_length=8)
    ends = [row for row in split if row["input_ids"] == [4]]
    assert 0 < len(ends) < len(split)
    assert min(split.lengths) == 1
    assert {tuple(row["attention_mask"]) for row in ends} == {(1,)}


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "opt"])
def test_a_text_that_ends_with_the_padding_token_is_read_where_it_ends(
    architecture: str, tmp_path: Path
) -> None:
    """A causal head that stopped at the token before it would give the same answer without it."""
    name = saved(tmp_path, architecture, word_tokenizer(pad_token="t0"))
    model = models.classifier(name, tasks.get("mnli"))
    with torch.no_grad():
        short, long = (model(input_ids=torch.tensor([ids])).logits for ids in ([9, 8, 7], [9, 8, 7, 0]))
    assert (short - long).abs().max() > 0.01


@pytest.mark.parametrize("method", ["lora", "prefix", "prompt", "parallel"])
@pytest.mark.parametrize("architecture", ["bert", "roberta", "gpt2", "opt", "llama", "t5"])
def test_a_batch_is_its_rows_with_a_method_in_it(architecture: str, method: str, tmp_path: Path) -> None:
    changes = {"pad_token_id": None} if architecture in ("gpt2", "llama") else {}
    name = saved(tmp_path, architecture, word_tokenizer(pad_token="t6", padding_side="left"), **changes)
    torch.manual_seed(0)
    model = models.classifier(name, tasks.get("mnli"))
    perturb(apply(model, method))
    assert differences(model, name) == pytest.approx([0] * 6, abs=2e-4)
