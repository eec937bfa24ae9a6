"""ROUGE-L and CIDEr as the COCO caption evaluation computes them, which E2E's official script runs.

After ``pycocoevalcap`` 1.2 (github.com/salaniz/pycocoevalcap), in its words (``ptb.py``). Neither is what
other libraries call by the same name: this ROUGE-L (Lin 2004) weighs recall by ``beta = 1.2`` and takes the
best precision and the best recall over the references, each by itself; this CIDEr (Vedantam et al. 2015) is
the variant D, times ten, with frequencies over the references of the texts that are scored, and the length
in its penalty is counted in pairs of words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from tasks.written.ptb import words

CIDER_ORDER = 4
_BETA = 1.2
_SIGMA = 6.0  # of the penalty for another length

Ngram = tuple[str, ...]


def rouge_l(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The mean F of the longest common subsequences of words, from 0 to 1.

    Args:
        predictions: one text each.
        references: one or more texts for each of them.
    """
    scores = []
    for prediction, several in zip(predictions, references, strict=True):
        written = words(prediction) or [""]
        wanted = [words(reference) or [""] for reference in several]
        common = [_common(written, reference) for reference in wanted]
        precision = max(common) / len(written)
        recall = max(count / len(reference) for count, reference in zip(common, wanted, strict=True))
        weighed = recall + _BETA**2 * precision
        scores.append((1 + _BETA**2) * precision * recall / weighed if weighed else 0.0)
    return math.fsum(scores) / len(scores)


def cider(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The mean CIDEr-D, from 0 to 10; of a single text it is 0, since nothing tells it from others.

    Args:
        predictions: one text each.
        references: one or more texts for each of them.
    """
    wanted = [[_ngrams(words(reference)) for reference in several] for several in references]
    texts_with = Counter(ngram for several in wanted for ngram in set().union(*several))
    scores = []
    for prediction, several in zip(predictions, wanted, strict=True):
        written = _weighed(_ngrams(words(prediction)), texts_with, len(wanted))
        alike = [_alike(written, _weighed(one, texts_with, len(wanted))) for one in several]
        scores.append(10 * math.fsum(alike) / len(alike))
    return math.fsum(scores) / len(scores)


def _common(one: list[str], other: list[str]) -> int:
    """The length of the longest common subsequence; a bit per word of ``one`` (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for index, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << index
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        place = row & places.get(word, 0)
        row = (row + place | row - place) & every
    return len(one) - row.bit_count()


def _ngrams(found: list[str]) -> Counter[Ngram]:
    """The n-grams of a text up to four."""
    return Counter(
        tuple(found[start : start + length])
        for length in range(1, CIDER_ORDER + 1)
        for start in range(len(found) - length + 1)
    )


class _Weights:
    """The n-grams of a text with their tf-idf weights, by their length."""

    def __init__(self) -> None:
        self.by_length: list[dict[Ngram, float]] = [{} for _ in range(CIDER_ORDER)]
        self.pairs = 0


def _weighed(ngrams: Counter[Ngram], texts_with: Counter[Ngram], texts: int) -> _Weights:
    weights = _Weights()
    for ngram, count in ngrams.items():
        weights.by_length[len(ngram) - 1][ngram] = count * math.log(texts / max(texts_with[ngram], 1))
        weights.pairs += count if len(ngram) == 2 else 0
    return weights


def _alike(written: _Weights, wanted: _Weights) -> float:
    """How alike two texts are, from 0 to 1: the mean over the lengths of n-grams."""
    total = 0.0
    for ours, theirs in zip(written.by_length, wanted.by_length, strict=True):
        norms = math.hypot(*ours.values()) * math.hypot(*theirs.values())
        if norms:
            shared = ours.keys() & theirs.keys()
            total += math.fsum(min(ours[ngram], theirs[ngram]) * theirs[ngram] for ngram in shared) / norms
    penalty = math.exp(-((written.pairs - wanted.pairs) ** 2) / (2 * _SIGMA**2))
    return penalty * total / CIDER_ORDER
