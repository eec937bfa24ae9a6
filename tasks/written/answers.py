"""Answers that are right or wrong: the whole text, or the number that a solution ends with."""

from __future__ import annotations

import re
from collections.abc import Sequence

# github.com/openai/grade-school-math, dataset.py: what follows "#### ", without commas.
_FINAL = re.compile(r"#### (-?[0-9.,]+)")


def exact_match(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The share of texts that are one of their references, but for white space.

    Args:
        predictions: one text each.
        references: one or more texts for each of them.
    """
    pairs = zip(predictions, references, strict=True)
    right = [" ".join(one.split()) in {" ".join(r.split()) for r in several} for one, several in pairs]
    return sum(right) / len(right)


def answer_match(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The share of solutions whose number after ``####`` is that of a reference, as GSM8K counts it.

    The first number counts, as it is written but for commas: 5 and 5.0 are two answers. A solution without
    one is wrong.

    Args:
        predictions: one solution each.
        references: one or more solutions for each of them.
    """
    right = [
        (found := final(prediction)) is not None and found in {final(reference) for reference in several}
        for prediction, several in zip(predictions, references, strict=True)
    ]
    return sum(right) / len(right)


def final(solution: str) -> str | None:
    """The number that a solution ends with; None where there is none."""
    found = _FINAL.search(solution)
    return found[1].strip().replace(",", "") if found else None
