from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.errors import ModelError
from runners.writing import batches
from runners.writing.batches import IGNORED
from runners.writing.tokens import Form
from tasks.spec import Template
from tests.runners.folders import word_tokenizer

from .conftest import EVERY_FAMILY, FAMILIES, PAIRS, form, tokenizer

WORDS = st.lists(st.integers(40, 80), max_size=12)
ROWS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4)
FEW = settings(max_examples=15, deadline=None)
FRONT = {"gpt2": [], "llama": [1], "t5": [], "bart": [1]}


def spoken(words: list[int]) -> str:
    return " ".join(f"t{word}" for word in words)


@EVERY_FAMILY
@FEW
@given(rows=ROWS, longest_prompt=st.integers(5, 16), longest_target=st.integers(2, 14))
def test_a_row_is_its_prompt_and_its_target_and_what_is_cut_is_told(
    family: str, rows: list[tuple[list[int], list[int]]], longest_prompt: int, longest_target: int
) -> None:
    how = form(family, longest_prompt, longest_target)
    made = how.prompted([[spoken(text)] for text, _ in rows], [spoken(target) for _, target in rows])
    assert len(made) == len(rows)
    for index, (text, target) in enumerate(rows):
        front, behind = [*FRONT[family], 9], [2] if how.pair else [8, 7]
        room = longest_prompt - len(front) - len(behind)
        assert made.prompts[index].tolist() == [*front, *text[:room], *behind]
        assert made.cut[index] == (len(text) > room)
        whole = [*(FRONT[family] if how.pair else ()), *target, 2]
        assert made.targets[index].tolist() == whole[:longest_target]
        assert made.unended[index] == (len(whole) > longest_target)
        assert (made.targets[index][-1] == 2) != made.unended[index]


@EVERY_FAMILY
@FEW
@given(rows=ROWS)
def test_a_batch_reads_everything_and_is_trained_on_targets_alone(
    family: str, rows: list[tuple[list[int], list[int]]]
) -> None:
    how = form(family)
    made = how.prompted([[spoken(text)] for text, _ in rows], [spoken(target) for _, target in rows])
    which = list(reversed(range(len(rows))))
    batch, asked = batches.training(made, which, how), batches.asking(made, which, how)
    for place, index in enumerate(which):
        prompt, target = made.prompts[index].tolist(), made.targets[index].tolist()
        real = batch["attention_mask"][place].bool()
        ids, labels = batch["input_ids"][place], batch["labels"][place]
        assert ids[real].tolist() == (prompt if how.pair else prompt + target)
        assert labels[labels != IGNORED].tolist() == target
        if not how.pair:
            assert labels.shape == ids.shape
            assert labels[: len(prompt)].tolist() == [IGNORED] * len(prompt)
            assert (ids[labels != IGNORED] == labels[labels != IGNORED]).all()
        mask, width = asked["attention_mask"][place], asked["attention_mask"].shape[1]
        assert asked["input_ids"][place][mask.bool()].tolist() == prompt
        first = 0 if how.pair else width - len(prompt)
        assert mask.tolist() == [int(first <= i < first + len(prompt)) for i in range(width)]


def test_a_space_between_belongs_to_the_target() -> None:
    told = form("gpt2", joint=" t8: ")
    assert told._between == " t8:"
    seen = []

    class Spy:
        eos_token_id, pad_token_id, sep_token_id, name_or_path = 2, None, None, "spy"

        def __call__(self, texts, **_):
            seen.append(texts)
            return {"input_ids": [[5]] * (1 if isinstance(texts, str) else len(texts))}

    asked = Form(Spy(), Template("ask {text}", "\nsay: "), False, 20, 5)
    asked.prompted([["it"]], ["yes"])
    assert seen[-2:] == [["ask it\nsay:"], [" yes"]]
    assert asked.padding == 2


def test_an_empty_prompt_is_the_end_of_a_text() -> None:
    assert form("gpt2", prompt="{text}", joint="").prompted([[""]]).prompts[0].tolist() == [2]


def test_two_texts_and_label_words() -> None:
    how = form("t5", prompt="{text} t6 {text_pair}", words=("t50 t51", "t52"))
    assert how.prompted([["t40", "t41"]]).prompts[0].tolist() == [40, 6, 41, 2]
    words = how.words()
    assert [words[index].tolist() for index in range(len(words))] == [[50, 51, 2], [52, 2]]


def test_what_cannot_write_is_refused() -> None:
    endless = word_tokenizer(pad_token="t0")
    with pytest.raises(ModelError, match="has no token that ends a text"):
        Form(endless, Template(), False, 10, 10)
    for prompt, target in ((3, 12), (40, 1)):
        with pytest.raises(ModelError, match=r"leave nothing to read or to write: expected at least 4 and 2"):
            form("gpt2", prompt, target)
    assert set(PAIRS) < set(FAMILIES)
    assert tokenizer("bart")("t5")["input_ids"] == [1, 5, 2]
