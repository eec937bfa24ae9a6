"""What a model answered to every example of the reported split, in few bytes.

A class takes as many bits as are needed to number the task's labels, a number of a regression 32. The
examples are in the order of the split, which the hash of the data pins down: two trials on the same data can
be compared example by example.

Of sentences whose words are labelled, numbers of spans are kept: F1, precision and recall need no more.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.errors import RecordError
from reports.records.schema import Answers

Values = NDArray[np.float64]


def packed(predicted: ArrayLike, references: ArrayLike, labels: int | None) -> Answers:
    """Pack predictions and references.

    Args:
        predicted: one per example, in the order of the split.
        references: the right answers.
        labels: number of classes; None for a regression.
    """
    count = len(np.asarray(references))
    return Answers(
        count=count,
        labels=labels,
        predicted=_pack(np.asarray(predicted), labels),
        references=_pack(np.asarray(references), labels),
    )


def packed_spans(right: ArrayLike, predicted: ArrayLike, references: ArrayLike, longest: int) -> Answers:
    """Pack how many spans of each sentence are right, were given and are there.

    Args:
        right: one number per sentence, in the order of the split; so are the next two.
        predicted: of those that were given.
        references: of those that are there.
        longest: words of the longest sentence, which has no more spans.
    """
    found = packed(predicted, references, max(longest + 1, 2))
    return found.model_copy(update={"hits": _pack(np.asarray(right), found.labels)})


def unpacked(answers: Answers) -> tuple[Values, Values]:
    """Predictions and references, each of shape (count,); predictions of spans are (count, 2): right, given.

    Raises:
        RecordError: they do not hold as many answers as they say.
    """
    sides = [answers.predicted, answers.references, *([answers.hits] if answers.hits is not None else [])]
    predicted, references, *hits = (_unpack(text, answers.count, answers.labels) for text in sides)
    return (np.stack([*hits, predicted], axis=1) if hits else predicted), references


def _width(labels: int) -> int:
    """Bits of a class."""
    return max(1, (labels - 1).bit_length())


def _pack(values: NDArray[np.generic], labels: int | None) -> str:
    if labels is None:
        data = values.astype("<f4").tobytes()
    else:
        shifts = np.arange(_width(labels))[::-1]
        data = np.packbits((values.astype(np.int64)[:, None] >> shifts) & 1).tobytes()
    return base64.b64encode(data).decode("ascii")


@lru_cache(maxsize=4096)  # the references of a task are the same in all of its records
def _unpack(text: str, count: int, labels: int | None) -> Values:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RecordError("the answers are not base64") from None
    bits = 32 if labels is None else _width(labels)
    if len(data) != -(-count * bits // 8):
        raise RecordError(
            f"the answers are {len(data)} bytes, and {count} of {bits} bits take another number"
        )
    if labels is None:
        values = np.frombuffer(data, dtype="<f4").astype(np.float64)
        if not np.isfinite(values).all():
            raise RecordError("an answer is not a finite number")
    else:
        digits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count * bits).reshape(count, bits)
        values = (digits @ (1 << np.arange(bits)[::-1])).astype(np.float64)
        if values.max(initial=0) >= labels:
            raise RecordError(f"an answer is the class {values.max():.0f}, of {labels}")
    values.setflags(write=False)
    return values


def same_examples(first: Answers, second: Answers) -> bool:
    """Whether two runs answered the same examples, as far as the right answers tell."""
    return (first.count, first.labels, first.references) == (second.count, second.labels, second.references)
