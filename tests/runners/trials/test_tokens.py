from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase
from transformers.trainer_pt_utils import get_length_grouped_indices

from runners import models
from runners.trials import batches, tokens
from runners.trials.tokens import Encoded, Rows
from tasks import cache as kept
from tests.runners.trials.test_batches import Slow

WORDS = [
    "a",
    "film",
    "was",
    "seen",
    "again",
    "and",
    "nobody,",
    "who",
    "loved",
    "it,",
    "left",
    "early",
    "é\u0301",
]
TEXT = st.one_of(st.text(max_size=8), st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join))
FEW = settings(max_examples=25, deadline=None)


@cache
def embedded(side: str = "right") -> PreTrainedTokenizerBase:
    made = models.tokenizer("embedded")
    made.padding_side = side
    return made


def table(texts: list[tuple[str, ...]], labels: list[Any]) -> datasets.Dataset:
    columns = dict(zip(("text", "text_pair"), map(list, zip(*texts, strict=True)), strict=False))
    return datasets.Dataset.from_dict({**columns, "label": labels})


@pytest.fixture
def own() -> PreTrainedTokenizerBase:
    return embedded()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@FEW
@given(
    st.integers(1, 2).flatmap(lambda n: st.lists(st.tuples(*[TEXT] * n), min_size=1, max_size=8)),
    st.integers(6, 20),
    st.booleans(),
)
def test_a_row_is_what_the_tokenizer_makes_of_its_text(
    texts: list[tuple[str, ...]], limit: int, regression: bool
) -> None:
    own = embedded()
    labels = [i / 4 if regression else i for i in range(len(texts))]
    found = tokens.encoded(table(texts, labels), ("made",), own, limit, None)
    for index, (row, label) in enumerate(zip(texts, labels, strict=True)):
        alone = [[text] for text in row]  # in lists, an empty second text is one
        expected = {
            name: values[0] for name, values in own(*alone, truncation=True, max_length=limit).items()
        }
        assert found[index] == {**expected, "labels": label}
        assert found.cut[index] == (len(own(*alone)["input_ids"][0]) > limit)
    assert found.lengths.tolist() == [len(row["input_ids"]) for row in found]
    assert found.labels().tolist() == labels
    assert found.labels().dtype == (np.float64 if regression else np.int64)


ROWS = st.lists(st.lists(st.integers(0, 30_000), min_size=1, max_size=9), min_size=1, max_size=12)


def flat(ids: list[list[int]]) -> Encoded:
    lengths = np.array([len(row) for row in ids])
    values = np.concatenate([np.array(row, np.int32) for row in ids])
    columns = {"input_ids": values, "token_type_ids": (values % 2).astype(np.int8)}
    columns["attention_mask"] = np.ones(len(values), np.int8)
    return Encoded(columns, np.cumsum(lengths) - lengths, lengths, lengths > 8, np.arange(len(ids)))


@FEW
@given(ROWS, st.sampled_from(["left", "right"]), st.data())
def test_a_batch_is_padded_as_the_tokenizer_does(
    ids: list[list[int]], side: str, data: st.DataObject
) -> None:
    split, collate = flat(ids), batches.Collator(embedded(side))
    chosen = data.draw(st.lists(st.integers(0, len(ids) - 1), min_size=1, max_size=6))
    batch, expected = collate(split.__getitems__(chosen)), collate([split[i] for i in chosen])
    assert list(batch) == list(expected)
    for name, value in batch.items():
        assert value.dtype == expected[name].dtype
        assert torch.equal(value, expected[name])


def test_a_tokenizer_that_pads_in_its_own_way_pads(own: PreTrainedTokenizerBase) -> None:
    class Other(type(own)):  # type: ignore[misc]
        def _pad(self, *arguments: Any, **named: Any) -> Any:
            return {name: [7, *values] for name, values in super()._pad(*arguments, **named).items()}

    other = models.tokenizer("embedded")
    other.__class__ = Other
    split = flat([[1, 2, 3], [4]])
    assert batches.Collator(other)(Rows(split, np.array([1, 0])))["input_ids"][:, 0].tolist() == [7, 7]


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=300), st.integers(1, 16), st.integers(0, 5))
def test_the_order_is_that_of_transformers(lengths: list[int], size: int, seed: int) -> None:
    one, other = (torch.Generator().manual_seed(seed) for _ in range(2))
    expected = get_length_grouped_indices(lengths, size, generator=other)
    assert batches.length_grouped(np.array(lengths), size, one).tolist() == expected
    assert torch.equal(one.get_state(), other.get_state())


@FEW
@given(ROWS)
def test_the_longest_rows_come_first_and_of_equal_ones_the_first(ids: list[list[int]]) -> None:
    expected = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    assert batches.longest_first(flat(ids)).tolist() == expected


SECOND = """
import sys
import datasets
from transformers import AutoTokenizer
from runners.trials import tokens
from tasks import cache

tokens._tokens = None  # whoever makes tokens ends here
cache.KEPT_FROM = 0
own = AutoTokenizer.from_pretrained(sys.argv[1])
own(["used before", "with other settings"], padding=True, truncation=True, max_length=3)
rows = datasets.Dataset.from_dict({"text": ["unread"] * 9, "label": [0] * 9})
found = tokens.encoded(rows, ("made", "content"), own, 8, tokens.identity(own))
print([found[i] for i in range(len(found))], found.cut.tolist())
"""


def test_another_process_makes_no_tokens(
    own: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "KEPT_FROM", 0)
    rows = table([(f"a text of {i} words " * (i % 3),) for i in range(9)], list(range(9)))
    made = tokens.encoded(rows, ("made", "content"), own, 8, tokens.identity(own))
    assert len(list(kept.folder().glob("made-tokens-*.arrow"))) == 1
    environment = {**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache"), "PYTHONHASHSEED": "7"}
    command = (sys.executable, "-c", SECOND, models.location("embedded"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{[*made]} {made.cut.tolist()}"


def test_what_a_tokenizer_was_used_for_is_not_what_it_is(own: PreTrainedTokenizerBase) -> None:
    before = tokens.identity(own)
    own(["a", "b c d e"], padding="max_length", truncation=True, max_length=3)
    assert tokens.identity(own) == before


@pytest.mark.parametrize("change", ["word", "side", "padding", "case"])
def test_another_tokenizer_has_another_identity(change: str, own: PreTrainedTokenizerBase) -> None:
    other = models.tokenizer("embedded")
    assert tokens.identity(other) == tokens.identity(own)
    if change == "word":
        other.add_tokens(["blorp"])
    elif change == "side":
        other.truncation_side = "left"
    elif change == "padding":
        other.pad_token = other.unk_token
    else:
        other.backend_tokenizer.normalizer.lowercase = False
    assert tokens.identity(other) != tokens.identity(own)


def test_of_a_tokenizer_in_python_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_FROM", 0)
    slow = Slow(pad_token="<pad>")
    assert tokens.identity(slow) is None
    tokens.encoded(table([("a b c",)], [0]), ("made",), slow, 8, None)
    assert not kept.folder().exists()


def test_a_setting_that_is_another_in_every_process_tells_nothing() -> None:
    other = models.tokenizer("embedded")
    other.init_kwargs["splitter"] = object()
    assert tokens.identity(other) is None
