"""What may be chosen of a method."""

from __future__ import annotations

from collections.abc import Mapping
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
            raise OptionError(explain(error, method, cls.model_fields)) from None


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
