"""Keys of a study file that are misspelled, or stand at the wrong place: which ones were meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from methods.errors import explain, nearest
from reports import yaml_text
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.spec import Protocol

KINDS = ("trials", "latency", "serving", "intrinsic")
"""What a study may be of."""

_PLACES: Mapping[str, type[BaseModel]] = {"protocol": Protocol, "costs": CostSettings}
"""Keys of a study with settings below them, which are easily written beside them."""


def explain_study(error: ValidationError, file: type[BaseModel]) -> str:
    """One sentence for what is wrong with a study file.

    Args:
        error: what its model raised.
        file: the model of its keys.
    """
    for fault in error.errors(include_url=False):
        if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
            told = misplaced("the study", str(fault["loc"][0]), fault["input"], file.model_fields)
            if told:
                return told
    return explain(error, "the study", file)


def misplaced(what: str, key: str, value: Any, valid: Iterable[str]) -> str | None:
    """A sentence for a setting that belongs below another key of the same thing; None for any other key.

    Args:
        what: what has the key.
        key: the one that it does not take.
        value: what is given there.
        valid: the keys that it takes.
    """
    valid = list(valid)
    if difflib.get_close_matches(key, valid, 1, 0.8):  # which is more likely
        return None
    for place, settings in _PLACES.items():
        if place in valid and key in settings.model_fields:
            written = yaml_text.dump({place: {key: value}}).strip()
            return f"{what} has no option {key!r}, which belongs in `{written}`."
    return None


def nearly(item: Mapping[Any, Any], wanted: str, valid: Iterable[str]) -> str | None:
    """What to say of a mapping without a key that it needs, where another looks like it; else None."""
    close = difflib.get_close_matches(wanted, [str(key) for key in item if key not in valid], 1, 0.7)
    return f"has no option {close[0]!r}; {nearest(close[0], valid)}." if close else None


def check_kind(content: Mapping[str, Any], where: str) -> None:
    """Find out whether a study is of a kind that there is.

    Raises:
        SpecError: it is not; one sentence.
    """
    kind = content.get("kind", KINDS[0])
    if kind not in KINDS:
        raise SpecError(f"{where} is a study of the kind {kind!r}; {nearest(str(kind), KINDS)}.")
