"""Splits: no text in two of them, whatever the rows, their order and the seed."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.own import carving
from tasks.own.carving import Part
from tasks.spec import Overlap
from tasks.splits import normalise

WORDS = st.sampled_from(["a", "A", " a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
ROWS = st.lists(st.tuples(WORDS, WORDS, st.integers(0, 2)), min_size=1, max_size=40)
few = settings(max_examples=25, deadline=None)


def made(rows: list[tuple[str, str, int]], columns: int, overlap: Overlap) -> Part:
    texts = [pa.chunked_array([[row[i] for row in rows]], pa.large_string()) for i in range(columns)]
    return carving.part(texts, np.array([row[2] for row in rows]), overlap)


def keys(one: Part, overlap: Overlap) -> set[tuple[str, ...] | str]:
    rows = [tuple(map(normalise, row)) for row in zip(*(t.to_pylist() for t in one.texts), strict=True)]
    return set(rows) if overlap == "example" else {text for row in rows for text in row}


def content(one: Part) -> list[tuple[object, ...]]:
    return list(zip(*(text.to_pylist() for text in one.texts), one.labels.tolist(), strict=True))


@few
@given(ROWS, st.integers(1, 2), st.sampled_from(["any_text", "example"]), st.integers(0, 3))
def test_one_file_becomes_three_parts_that_share_no_text(
    rows: list[tuple[str, str, int]], columns: int, overlap: Overlap, seed: int
) -> None:
    whole = made(rows, columns, overlap)
    parts = carving.of_one_file(whole, 3, seed)
    found = [keys(one, overlap) for one in parts.values()]
    assert not any(one & other for one, other in itertools.combinations(found, 2))
    assert sorted(row for one in parts.values() for row in content(one)) == sorted(content(whole))


@few
@given(ROWS, ROWS, st.one_of(st.none(), ROWS), st.sampled_from(["any_text", "example"]))
def test_of_given_parts_the_report_stays_and_the_others_share_no_text_with_it(
    train: list[tuple[str, str, int]],
    report: list[tuple[str, str, int]],
    selection: list[tuple[str, str, int]] | None,
    overlap: Overlap,
) -> None:
    one, two = made(train, 2, overlap), made(report, 2, overlap)
    three = None if selection is None else made(selection, 2, overlap)
    parts, out = carving.given(one, three, two, 3)
    assert content(parts["report"]) == content(two)
    found = {name: keys(part, overlap) for name, part in parts.items()}
    assert not found["train"] & (found["selection"] | found["report"])
    assert not found["selection"] & found["report"]
    kept = len(parts["train"]) + (len(parts["selection"]) if selection is None else 0)
    assert kept == len(train) - out["train"]
    assert len(train) - out["train"] == sum(
        not keys(one.take(np.array([i])), overlap)
        & (keys(two, overlap) | (found["selection"] if three else set()))
        for i in range(len(train))
    )


@few
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 2))
def test_the_order_of_the_rows_moves_nothing(
    rows: list[tuple[str, str, int]], random: object, columns: int
) -> None:
    shuffled = [*rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    told = []
    for some in (rows, shuffled):
        parts = carving.of_one_file(made(some, columns, "any_text"), 3, 1)
        told.append(carving.content_hash({name: carving.ordered(one) for name, one in parts.items()}))
    assert told[0] == told[1]


def test_every_label_has_its_share_and_the_seed_decides_of_which_rows() -> None:
    rows = [(f"text {i}", "", 0 if i % 10 else 1) for i in range(1000)]
    whole = made(rows, 1, "any_text")
    first, again, other = (carving.of_one_file(whole, 2, seed) for seed in (0, 0, 1))
    for parts in (first, other):
        counts = {name: np.bincount(one.labels).tolist() for name, one in parts.items()}
        assert counts == {"train": [630, 70], "selection": [90, 10], "report": [180, 20]}
    assert content(first["report"]) == content(again["report"])
    assert len(set(content(first["report"])) & set(content(other["report"]))) < 100


@pytest.mark.parametrize("change", ["text", "label", "place", "boundary"])
def test_the_hash_is_of_every_text_label_and_split(change: str) -> None:
    rows = [("ab", "c", 0), ("d", "e", 1), ("f", "g", 0)]
    parts = {"train": made(rows[:2], 2, "example"), "report": made(rows[2:], 2, "example")}
    before = carving.content_hash(parts)
    if change == "place":
        parts = {"train": made(rows[:1], 2, "example"), "report": made(rows[1:], 2, "example")}
    else:
        new = {"text": ("aB", "c", 0), "label": ("ab", "c", 1), "boundary": ("a", "c", 0)}[change]
        other = ("bd", "e", 1) if change == "boundary" else rows[1]
        parts["train"] = made([new, other], 2, "example")
    assert carving.content_hash(parts) != before
    sliced = made([("x", "y", 0), *rows], 2, "example").take(np.array([1, 2]))
    assert carving.content_hash({"train": sliced, "report": made(rows[2:], 2, "example")}) == before
