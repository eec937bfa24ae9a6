"""Tags of IOB1 and IOB2, from random spans."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import bio

KINDS = ("PER", "LOC", "A-B")
SPANS = st.lists(st.tuples(st.sampled_from((None, *KINDS)), st.integers(1, 3)), max_size=8)
Spans = list[tuple[str | None, int]]


def in_iob2(spans: Spans) -> list[str]:
    """Spans in a row, each a type and how long it is; None is no span."""
    found: list[str] = []
    for kind, length in spans:
        found += ["O"] * length if kind is None else [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
    return found


def in_iob1(spans: Spans) -> list[str]:
    found, before = [], None
    for kind, length in spans:
        first = f"B-{kind}" if kind == before else f"I-{kind}"
        found += ["O"] * length if kind is None else [first, *[f"I-{kind}"] * (length - 1)]
        before = kind
    return found


@given(SPANS)
def test_iob1_is_read_as_the_same_spans(spans: Spans) -> None:
    assert bio.from_iob1(in_iob1(spans)) == in_iob2(spans)
    assert bio.from_iob1(in_iob2(spans)) == in_iob2(spans)
    assert bio.dangling(in_iob2(spans)) is None
    assert bio.needless(in_iob1(spans)) is None


@given(SPANS)
def test_the_two_are_told_apart_by_the_first_span(spans: Spans) -> None:
    first = next((n for n, tag in enumerate(in_iob2(spans)) if tag != "O"), None)
    assert bio.dangling(in_iob1(spans)) == bio.needless(in_iob2(spans)) == first


@given(st.sets(st.sampled_from(KINDS)))
def test_labels_are_a_pair_of_each_type_and_the_outside(kinds: set[str]) -> None:
    labels = bio.labels_of(kinds)
    assert bio.fault_of(labels) is None
    assert {bio.split(label)[1] for label in labels} == kinds | {""}
    assert len(labels) == 2 * len(kinds) + 1


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("O", "B-PER", "PER"), "has the tag 'PER', expected O, B-TYPE and I-TYPE"),
        (("O", "S-PER"), "has the tag 'S-PER'"),
        (("O", "B-"), "has the tag 'B-'"),
        (("B-PER", "I-PER"), "has no tag 'O'"),
        (("O", "I-PER"), "has the tag 'I-PER', and no 'B-PER', with which such spans begin"),
    ],
)
def test_other_labels_are_none(labels: tuple[str, ...], said: str) -> None:
    fault = bio.fault_of(labels)
    assert fault is not None
    assert fault.startswith(said)
