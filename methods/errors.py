"""The errors that methods raise, and how their messages are worded: one sentence for the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import ValidationError


class MethodError(ValueError):
    """A method cannot do what was asked; the message is one sentence for the user."""


class OptionError(MethodError):
    """An option has a wrong name or value."""


class AnatomyError(MethodError):
    """A model has no place for a role that a method needs."""


class MergeError(MethodError):
    """The method cannot be merged, or is not in the state that the call needs."""


class IncompleteHeadWarning(UserWarning):
    """What was loaded leaves out some of the model's task head, which stays as it was there."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return "did you mean ...?" with the closest valid names, then all of them."""
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{hint}Valid: {', '.join(valid) or 'none'}"


def explain(error: ValidationError, what: str, valid: Iterable[str]) -> str:
    """Turn the first fault that pydantic found into one sentence.

    Args:
        error: what a pydantic model raised.
        what: the thing that was being read, e.g. ``"lora"`` or ``"protocol"``.
        valid: the field names that ``what`` accepts.
    """
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{what} has no option {where!r}; {nearest(str(fault['loc'][-1]), valid)}."
    reason = fault["msg"].removeprefix("Value error, ")
    if not where:
        return f"{what}: {reason}."
    return f"{what}: {where}={fault['input']!r} is not valid: {reason[0].lower()}{reason[1:]}."
