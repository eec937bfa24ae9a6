"""What is said of a method: to people, to a search of its settings, and to who counts FLOPs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from methods.anatomy.geometry import Geometry
from methods.core.exchange import Form
from methods.core.flops import Work
from methods.core.search_space import SearchSpace

BLOCK_WEIGHTS = (
    *("query", "key", "value", "output", "attention_norm"),
    *("up", "down", "feed_forward_norm"),
)
WEIGHTS = ("embeddings", *BLOCK_WEIGHTS)
PLACES = (
    *WEIGHTS,
    *("input", "keys_values", "attention_output", "feed_forward_input", "down_input"),
    *("feed_forward_output", "block_end"),
)
"""Places of a transformer: what has weights, then where something can be put between."""


def at(what: str, *places: str) -> dict[str, str]:
    """The places where a method does something, for :attr:`Card.places`."""
    if unknown := set(places) - set(PLACES):
        raise RuntimeError(f"there are no places {unknown}")
    return dict.fromkeys(places, what)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A method described. Nothing here changes what it computes."""

    summary: str
    """One line for people."""
    source: str
    """Paper and original code."""
    places: Mapping[str, str]
    """Where it acts by default, for a figure: some of :data:`PLACES`, each with what happens there."""
    learning_rate: float
    """Where AdamW starts when a run states nothing: from the paper or from our own measurement."""
    search_space: SearchSpace
    """What a search of its settings may try: the learning rate, and the options that its paper tuned."""
    starts_at_base: bool = True
    """Whether the model computes at step 0 what the base does, bit by bit, with the default options."""
    work: Callable[[Geometry, Any], Work]
    """From sizes and options to what it adds to a forward pass, and where something trains: its FLOPs."""
    peft: Callable[[], Form] | None = None
    """Makes the form of its checkpoints in the PEFT library; None where that has no equal of it."""

    @property
    def form(self) -> Form | None:
        """How its checkpoints look in the PEFT library; None where that has no equal of it."""
        return None if self.peft is None else self.peft()
