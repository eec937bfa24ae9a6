"""What may be searched of a method: its learning rate, and the options that its paper tuned.

A space says which values are reasonable and nothing about how they are searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEARNING_RATE = "learning_rate"


@dataclass(frozen=True)
class LogUniform:
    """A real number between two bounds, every decade as likely as any other.

    Raises:
        ValueError: the bounds are not positive and in order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"expected 0 < low < high, received {self.low} and {self.high}")

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def describe(self) -> dict[str, Any]:
        """As plain data: ``{"low": ..., "high": ...}``."""
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True)
class Choice:
    """One of several values, none nearer to another.

    Raises:
        ValueError: there are fewer than two, or one is repeated.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(set(self.values)) != len(self.values) or len(self.values) < 2:
            raise ValueError(f"expected two different values or more, received {self.values}")

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ", ".join(str(value) for value in self.values)

    def describe(self) -> dict[str, Any]:
        """As plain data: ``{"values": [...]}``."""
        return {"values": list(self.values)}


Dimension = LogUniform | Choice


@dataclass(frozen=True)
class SearchSpace:
    """The learning rates and the values of options that are worth trying."""

    learning_rate: LogUniform
    options: Mapping[str, Dimension] = field(default_factory=dict)

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """Everything that may be searched, by name; the learning rate first."""
        return {LEARNING_RATE: self.learning_rate, **self.options}
