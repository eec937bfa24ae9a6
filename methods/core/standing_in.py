"""Parameters of the base that others stand in for, and which come back bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from methods.anatomy.quantised import followed, is_packed, stored_like
from methods.core.places import Place


@dataclass(frozen=True)
class Kept:
    """A parameter of the base that is out of the model while another one stands in for it."""

    places: tuple[Place, ...]
    """All that held it: several where layers share it and it is replaced in all of them."""
    own: nn.Parameter
    was: tuple[torch.device, torch.dtype]
    """Of the one that was put in its place: the model may be moved or cast meanwhile."""


def stand_in(values: Sequence[tuple[Sequence[Place], Tensor]], *, as_given: bool = False) -> list[Kept]:
    """Put parameters with other values, stored as the own are, into the model; return the own.

    With ``as_given`` they are stored as the values are.

    All values are made before the first is put in, so that running out of memory changes nothing. Another
    parameter stands there, not another value in the same one: what other layers share with it stays.
    """
    made = []
    for places, value in values:
        first = places[0]
        other = nn.Parameter(value) if as_given else stored_like(first.module, first.name, value)
        made.append((tuple(places), first.parameter, other))
    for places, _, other in made:
        for place in places:
            place.put(other)
    return [Kept(places, own, (other.device, other.dtype)) for places, own, other in made]


def moves(kept: Sequence[Kept]) -> dict[str, Any]:
    """What ``to`` has to be told for what is out of the model to follow it; empty where it did not move.

    A move alone is no cast: what trains in float32 on a base in half precision stays so.
    """
    found: dict[str, Any] = {}
    for one in kept:
        now = one.places[0].parameter
        found |= {"device": now.device} if now.device != one.was[0] else {}
        # A layer of bitsandbytes' casts its own bias to what it is called with.
        cast = now.dtype != one.was[1] and not is_packed(one.places[0].module)
        found |= {"dtype": now.dtype} if cast else {}
    return found


def give_back(kept: list[Kept]) -> dict[str, Any]:
    """Undo :func:`stand_in`, and forget; return the model's :func:`moves` meanwhile.

    The own parameters follow it, so they are bit by bit what they would be had they been in it.
    """
    moved = moves(kept)
    follow = [followed(one.own, moved) for one in kept] if moved else [one.own for one in kept]
    for one, there in zip(kept, follow, strict=True):
        if not isinstance(there, nn.Parameter):
            one.own.data = there
        for place in one.places:
            place.put(there if isinstance(there, nn.Parameter) else one.own)
    kept.clear()
    return moved
