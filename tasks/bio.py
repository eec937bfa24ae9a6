"""Tags of the words of a sentence, which say where spans begin and go on (IOB2, also called BIO).

`O` is outside of any span, `B-TYPE` begins one and `I-TYPE` goes on with it. IOB1, in which CoNLL-2003 was
published, begins spans with `I-TYPE`, and with `B-TYPE` only right behind another span of that type (Ramshaw
and Marcus 1995; Tjong Kim Sang and Veenstra 1999).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

OUTSIDE: Final = "O"


def split(tag: str) -> tuple[str, str]:
    """The prefix of a tag and its type: `B` and `PER`; of `O`, itself and nothing."""
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def is_tag(tag: str) -> bool:
    """Whether it is one of IOB1 and IOB2."""
    return tag == OUTSIDE or (tag[:2] in ("B-", "I-") and len(tag) > 2)


def labels_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """All tags of some types of span: `O`, then `B-` and `I-` of each, the types sorted."""
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in sorted(set(kinds)) for prefix in "BI"))


def fault_of(labels: Sequence[str]) -> str | None:
    """What is wrong with the labels of a task, in half a sentence; None where nothing is."""
    wrong = next((label for label in labels if not is_tag(label)), None)
    if wrong is not None:
        return f"has the tag {wrong!r}, expected O, B-TYPE and I-TYPE"
    if OUTSIDE not in labels:
        return "has no tag 'O', for words that are outside of all spans"
    lonely = next((label for label in labels if label[0] == "I" and f"B{label[1:]}" not in labels), None)
    return (
        None
        if lonely is None
        else f"has the tag {lonely!r}, and no 'B{lonely[1:]}', with which such spans begin"
    )


def dangling(tags: Sequence[str]) -> int | None:
    """The first place of an `I-` that goes on with no span of its type, which IOB2 does not have."""
    before = OUTSIDE
    for place, tag in enumerate(tags):
        if tag[0] == "I" and before[1:] != tag[1:]:
            return place
        before = tag
    return None


def needless(tags: Sequence[str]) -> int | None:
    """The first place of a `B-` that IOB1 does not have: one that is not right behind a span of its type."""
    before = OUTSIDE
    for place, tag in enumerate(tags):
        if tag[0] == "B" and before[1:] != tag[1:]:
            return place
        before = tag
    return None


def from_iob1(tags: Sequence[str]) -> list[str]:
    """The same spans in IOB2."""
    before, found = OUTSIDE, []
    for tag in tags:
        begins = tag[0] == "I" and before[1:] != tag[1:]
        found.append(f"B{tag[1:]}" if begins else tag)
        before = tag
    return found
