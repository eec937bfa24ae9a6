"""What our targets and blocks call the layers that a folder of the PEFT library adapts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from methods.anatomy import Anatomy, Site
from methods.anatomy.layout import ATTENTION_ROLES, FEED_FORWARD_ROLES
from methods.errors import AnatomyError, MethodError


def targets_of(whole: set[str], split: dict[str, list[str]], anatomy: Anatomy) -> dict[str, Any]:
    """The options ``target`` and ``layers`` that name these layers.

    Args:
        whole: paths of layers that are adapted as they are.
        split: of fused layers, each with the roles that were taken out of it.
        anatomy: the model.

    Raises:
        MethodError: they play no role that a target can name, or some roles in other blocks than the rest.
    """
    sliced = list(dict.fromkeys(role for its in split.values() for role in its))
    order = [*sliced, *(role for role in (*ATTENTION_ROLES, *FEED_FORWARD_ROLES) if role not in sliced)]
    found: dict[str, list[tuple[int, str]]] = {}
    for role in order:
        for number, site in _by_block(role, anatomy):
            if role in split.get(site.path, ()) or (site.rows is None and site.path in whole):
                found.setdefault(role, []).append((number, site.path))
    if left := whole - {path for its in found.values() for _, path in its}:
        raise MethodError(f"it adapts {min(left)}, which has no role that a target can name")
    there = {number: path for its in found.values() for number, path in its}
    for role, its in found.items():
        for number, site in _by_block(role, anatomy):
            if number in there and (number, site.path) not in its:
                raise MethodError(
                    f"it adapts {there[number]} but not {site.path}, and a target is a role in all blocks "
                    "that are adapted"
                )
    every = len(there) in (0, len(anatomy.blocks))
    return {"target": list(found), "layers": None if every else sorted(there)}


def _by_block(role: str, anatomy: Anatomy) -> Iterator[tuple[int, Site]]:
    """The places of a role, each with the number of its block; none where the architecture is without it."""
    with contextlib.suppress(AnatomyError):
        for number in range(len(anatomy.blocks)):
            yield from ((number, site) for site in anatomy.within([number]).sites(role))
