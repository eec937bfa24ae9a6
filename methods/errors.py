"""The errors that methods raise, and how their messages are worded: one sentence for the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


class MethodError(ValueError):
    """A method cannot do what was asked; the message is one sentence for the user."""


class OptionError(MethodError):
    """An option has a wrong name or value."""


class AnatomyError(MethodError):
    """A model has no place for a role that a method needs."""


class MergeError(MethodError):
    """The method cannot be merged, or is not in the state that the call needs."""


class IncompleteHeadWarning(UserWarning):
    """What was loaded leaves out some of the model's task head, which stays as it was there.

    Args:
        loaded: what an error message calls it.
        left_out: the parameters.
    """

    def __init__(self, loaded: str, left_out: Iterable[str]) -> None:
        super().__init__(
            f"{loaded} holds no {', '.join(left_out)}: of the task head, that stays as it is in the model."
        )


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return "did you mean ...?" with the closest valid names, then all of them."""
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{hint}Valid: {', '.join(valid) or 'none'}"


def explain(error: ValidationError, what: str, valid: Iterable[str] | type[BaseModel]) -> str:
    """Turn what pydantic found into one sentence: an unknown name if there is one, else the first fault.

    Args:
        error: what a pydantic model raised.
        what: the thing that was being read, e.g. ``"lora"`` or ``"protocol"``.
        valid: the model that reads it, or the field names that ``what`` accepts.
    """
    faults = error.errors(include_url=False)
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        names = _fields_at(valid, fault["loc"][:-1]) if isinstance(valid, type) else [*valid]
        hint = f"; {nearest(str(fault['loc'][-1]), names)}" if names else ""
        return f"{what} has no option {where!r}{hint}."
    if fault["type"] == "missing":
        return f"{what} has no {where}, which it needs."
    reason = fault["msg"].removeprefix("Value error, ")
    if not where:
        return f"{what}: {reason}."
    return f"{what}: {where}={fault['input']!r} is not valid: {reason[0].lower()}{reason[1:]}."


def _fields_at(model: type[BaseModel], path: Iterable[int | str]) -> list[str]:
    """The field names of the model that stands at a place inside of another."""
    for part in path:
        if isinstance(part, int):  # in a list, whose annotation told the model already
            continue
        field = model.model_fields.get(part)
        inside = _models_in(field.annotation) if field else []
        if not inside:
            return []
        model = inside[0]
    return [*model.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation such as ``list[Cell] | None`` names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
