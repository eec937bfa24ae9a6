"""What each method can do on a model, as a classifier and as a writer of text."""

from __future__ import annotations

from typing import Any

import methods
from methods.anatomy import Anatomy
from runners import models


def abilities(name: str) -> list[dict[str, Any]]:
    """Try every method out, see :func:`methods.capabilities`; no weights are read.

    Writing text is tried under the model's language modelling head, all else under a classifier, or where the
    architecture has none, under that head too, or without one.

    Args:
        name: as for :func:`runners.models.location`, or a known one.

    Returns:
        For every method ``method``, ``can`` (each of ``methods.ACTS``: whether) and ``why_not`` (sentences).

    Raises:
        ModelError: the configuration cannot be read.
        MethodError: the model cannot be tried out.
    """
    with models.quiet():
        writer, classifier = models.writer(name), models.skeleton(name)
        has_head = bool(Anatomy(classifier).head_parameters())
        base = classifier if has_head or writer is None else writer
        found = methods.capabilities(base)
        writing = found if writer is None or writer is base else methods.capabilities(writer)
    rows = []
    for one, other in zip(found, writing, strict=True):
        why_not = {act: why for act, why in one.why_not.items() if act != "generate"}
        why_not |= {act: why for act, why in other.why_not.items() if act == "generate"}
        can = {act: act not in why_not for act in methods.ACTS}
        rows.append({"method": one.method, "can": can, "why_not": why_not})
    return rows
