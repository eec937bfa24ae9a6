"""BLEU and NIST of a corpus with several references per text, as ``mteval-v13a.pl`` computes them.

It is the script of E2E's official evaluation (github.com/tuetschek/e2e-metrics, which has the same in Python,
``pymteval.py``; the LoRA paper used that). Texts are tokenised by the script's rules and case is ignored.
BLEU is sacrebleu's. No kept library has NIST with all references of a text counted together; its equations
are Doddington's (2002, "Automatic evaluation of machine translation quality using n-gram co-occurrence
statistics").

``pymteval.py`` counts -2 n-grams of four words in a text of one word, where the script, sacrebleu and this
count none, and it smooths an order without a hit by 1e-15 instead of the script's halves: the numbers differ
where texts have less than four words (NIST: five), or where no four words in a row are right anywhere.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

NIST_ORDER = 5
_BETA = -math.log(0.5) / math.log(1.5) ** 2  # at two thirds of the references' length the score is halved


def bleu(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus BLEU of n-grams up to four (Papineni et al. 2002), from 0 to 1.

    Args:
        predictions: one text each.
        references: one or more texts for each of them.
    """
    # The first references of all, then the second ones, with None where there is none.
    streams = [list(stream) for stream in zip_longest(*references)]
    metric = BLEU(lowercase=True, tokenize="13a", force=True)  # force: tokenised text is meant
    return min(
        float(metric.corpus_score(list(predictions), streams).score) / 100, 1.0
    )  # 1 + 1e-16 by rounding


def nist(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus NIST of n-grams up to five, from 0 up; an n-gram counts for what it tells, in bits.

    Args:
        predictions: one text each.
        references: one or more texts for each of them.
    """
    tokenize = Tokenizer13a()
    hits: Counter[tuple[str, ...]] = Counter()
    seen: Counter[tuple[str, ...]] = Counter()  # n-grams of all references; () counts their words
    written = [0] * (NIST_ORDER + 1)  # n-grams of all predictions, by their length
    expected = 0.0
    for prediction, several in zip(predictions, references, strict=True):
        words = tokenize(prediction.lower()).split()
        counted = [_ngrams(tokenize(reference.lower()).split()) for reference in several]
        best: Counter[tuple[str, ...]] = Counter()
        for ngrams in counted:
            best |= ngrams
            seen.update(ngrams)
        hits.update(_ngrams(words) & best)
        for length in range(1, NIST_ORDER + 1):
            written[length] += max(len(words) - length + 1, 0)
        expected += sum(ngrams[()] for ngrams in counted) / len(counted)
    if not written[1] or not expected:
        return 0.0
    told = [0.0] * (NIST_ORDER + 1)
    for ngram, count in hits.items():
        if ngram:
            told[len(ngram)] += count * math.log2(seen[ngram[:-1]] / seen[ngram])
    score = sum(bits / count for bits, count in zip(told[1:], written[1:], strict=True) if count)
    return score * math.exp(-_BETA * math.log(min(written[1] / expected, 1.0)) ** 2)


def _ngrams(words: list[str]) -> Counter[tuple[str, ...]]:
    """The n-grams of a text up to five, and its words as the count of ()."""
    found = Counter(
        tuple(words[start : start + length])
        for length in range(1, NIST_ORDER + 1)
        for start in range(len(words) - length + 1)
    )
    found[()] = len(words)
    return found
