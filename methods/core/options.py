"""What may be chosen of a method."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from methods.errors import OptionError, explain


class Options(BaseModel):
    """Base of a method's options: frozen, validated at construction, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, method: str, values: Mapping[str, Any]) -> Self:
        """Validate ``values``; raises :class:`OptionError` with one sentence."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise OptionError(explain(error, method, cls)) from None

    def told(self) -> dict[str, Any]:
        """As plain data for records and checkpoints, from which :meth:`parse` makes them again.

        What is marked :data:`LATER` is left out at its default, so that a trial keeps the name that it had,
        and its record stands beside the new ones.
        """
        later = {name for name, field in type(self).model_fields.items() if field.json_schema_extra == LATER}
        written = self.model_dump(mode="json")
        default = {name for name in later if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in written.items() if name not in default}


LATER: dict[str, Any] = {"later": True}
"""Marks, as ``json_schema_extra``, an option that a method got when there were records without it."""


class NoOptions(Options):
    """For methods with nothing to choose."""


Role = Literal["query", "key", "value", "output", "up", "down", "gate", "qkv"]
"""The linear layers of a block that a method may adapt; ``qkv`` is a fused projection taken as one matrix."""


def _one_or_many(value: object) -> object:
    """Accept ``query`` and ``query,value`` as the command line and YAML write them."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _no_repeats(value: tuple[Role, ...]) -> tuple[Role, ...]:
    if len(set(value)) != len(value):
        raise ValueError("each target may be named once")
    if "qkv" in value and {"query", "key", "value"} & set(value):
        raise ValueError("qkv already is query, key and value together")
    return value


Targets = Annotated[
    tuple[Role, ...], Field(min_length=1), BeforeValidator(_one_or_many), AfterValidator(_no_repeats)
]
"""The roles that a method adapts: an option's type."""


MOST_BLOCKS = 10_000
"""Numbers of blocks are below it: a range of more is a slip."""


def _numbers(value: object) -> Iterable[int]:
    """The numbers of blocks that one item of a choice names."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST_BLOCKS:
        return (value,)
    if isinstance(value, str):
        found = re.fullmatch(r"(-?\d{1,4})|(\d{1,4})-(\d{1,4})|last:(\d{1,4})", value.strip())
        one, first, last, top = found.groups() if found else (None,) * 4
        if one is not None:
            return (int(one),)
        if first is not None and last is not None and int(first) <= int(last):
            return range(int(first), int(last) + 1)
        if top is not None and int(top):
            return range(-int(top), 0)
    raise ValueError("expected numbers of blocks such as [0, 1, 5], 0-5, 0,2,4 or last:2, or none for all")


def _blocks(value: object) -> tuple[int, ...] | None:
    """Accept what the command line and YAML write; the first blocks in order, then those from the end."""
    if value is None:
        return None
    items = value.split(",") if isinstance(value, str) else value
    found = [n for item in (items if isinstance(items, list | tuple) else [items]) for n in _numbers(item)]
    if not found:
        raise ValueError("expected at least one block, or none for all")
    if len(set(found)) != len(found):
        raise ValueError("each block may be named once")
    return tuple(sorted(found, key=lambda number: (number < 0, number)))


Layers = Annotated[
    tuple[int, ...] | None,
    BeforeValidator(_blocks),
    Field(
        description="blocks to act in, an encoder's before a decoder's: 0-5, 0,2,4 or last:2; none = all",
        json_schema_extra=LATER,
    ),
]
"""The blocks that a method acts in: an option's type, with None for all as its default.

Numbers count as ``Anatomy.blocks`` does; negative ones from the end.
"""


class BlockOptions(Options):
    """For methods with nothing to choose but the blocks they act in."""

    layers: Layers = None
