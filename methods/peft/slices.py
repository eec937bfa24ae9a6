"""Updates of slices of a fused layer, which a folder holds side by side, taken apart again.

``layers.py`` says how they were put together. How many lie in a layer is told from its rank and from which
rows of its factor B are zero.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from methods.anatomy import Anatomy, Rows, Site, sizes
from methods.anatomy.layout import ATTENTION_ROLES, FEED_FORWARD_ROLES
from methods.errors import AnatomyError, MethodError

Found = dict[tuple[str, str], Tensor]
"""The tensors of a layer by its path and our name."""


@dataclass(frozen=True)
class Apart:
    """Updates that are of one rank each."""

    rank: int
    alpha: float
    tensors: Found
    split: dict[str, list[str]]
    """The fused layers that were taken apart, each with the roles that were found in it."""


def _sites(anatomy: Anatomy) -> Iterator[tuple[str, Site]]:
    """Every place of every role that this architecture has."""
    for role in (*ATTENTION_ROLES, *FEED_FORWARD_ROLES):
        with contextlib.suppress(AnatomyError):
            yield from ((role, site) for site in anatomy.sites(role))


def fused(anatomy: Anatomy) -> dict[str, dict[str, Site]]:
    """The layers that several roles are slices of, each with these roles."""
    layers: dict[str, dict[str, Site]] = {}
    for role, site in _sites(anatomy):
        if site.rows is not None:
            layers.setdefault(site.path, {})[role] = site
    return layers


def nameable(anatomy: Anatomy) -> set[str]:
    """The layers that a target can name as one."""
    return {site.path for _, site in _sites(anatomy) if site.rows is None}


def taken_apart(config: Mapping[str, Any], found: Found, whole: set[str], anatomy: Anatomy) -> Apart:
    """What :func:`layers.write_low_rank` put side by side in fused layers, taken apart again.

    Args:
        config: peft's options.
        found: the tensors.
        whole: the layers that are :func:`nameable`.
        anatomy: the model.

    Raises:
        MethodError: a layer has a rank or an alpha of its own for another reason.
    """
    layers: dict[str, dict[str, Tensor]] = {}
    for (path, name), tensor in found.items():
        layers.setdefault(path, {})[name] = tensor
    slices = {path: its for path, its in fused(anatomy).items() if path in layers}
    for path, tensors in layers.items():
        _check(path, tensors, next(iter(slices.get(path, {}).values()), None))
    ranks = {path: len(tensors["lora_A"]) for path, tensors in layers.items() if "lora_A" in tensors}
    common, fault = math.gcd(*ranks.values(), config.get("r", 8)), None
    for count in range(1, 1 + max((len(its) for its in slices.values()), default=1)):
        if common % count == 0:  # the least number of updates that explains what is there
            try:
                return _apart(config, common // count, layers, slices, whole)
            except MethodError as error:
                fault = fault or error
    raise fault or MethodError(f"its rank is {common}, expected 1 or more")


def _check(path: str, tensors: dict[str, Tensor], site: Site | None) -> None:
    """Check that tensors are matrices and vectors; of a fused layer, those of one update of it."""
    for name, tensor in tensors.items():
        if tensor.ndim != (1 if name == "magnitude" else 2):
            raise MethodError(f"{name} of {path} is {tuple(tensor.shape)}")
    if site is None:
        return
    if missing := {"lora_A", "lora_B"} - tensors.keys():
        raise MethodError(f"it holds no {min(missing)} of {path}")
    (out, into), rank = sizes(site.linear()), len(tensors["lora_A"])
    for name, shape in {"lora_A": (rank, into), "lora_B": (out, rank), "magnitude": (out,)}.items():
        if name in tensors and tensors[name].shape != shape:
            raise MethodError(f"{name} of {path} is {tuple(tensors[name].shape)}, expected {shape}")


def _apart(
    config: Mapping[str, Any],
    rank: int,
    layers: dict[str, dict[str, Tensor]],
    slices: dict[str, dict[str, Site]],
    whole: set[str],
) -> Apart:
    """Take apart what consists of updates of a rank.

    Raises:
        MethodError: something there does not.
    """

    def grown(count: int) -> float:
        return math.sqrt(count) if config.get("use_rslora") else count

    alpha = config.get("lora_alpha", 8) / grown(config.get("r", 8) // rank)
    apart: Found = {}
    split: dict[str, list[str]] = {}
    for path, tensors in layers.items():
        count = len(tensors["lora_A"]) // rank if "lora_A" in tensors else 1
        its, roles = _alpha_of(path, config), slices.get(path, {})
        if not math.isclose(its, alpha * grown(count)) or (count > 1 and count > len(roles)):
            raise MethodError(
                f"it gives {path} rank {count * rank} and alpha {its:g}, other than to the rest"
            )
        if count == 1 and (not roles or path in whole):
            apart |= {(path, name): tensor for name, tensor in tensors.items()}
            continue
        split[path] = _roles_of(path, rank, count, layers, slices)
        for number, role in enumerate(split[path]):
            columns, rows = slice(number * rank, (number + 1) * rank), roles[role].rows
            where = f"{path}.{role}"
            apart[where, "lora_A"] = tensors["lora_A"][columns]
            apart[where, "lora_B"] = tensors["lora_B"][:, columns][rows]
            if "magnitude" in tensors:
                apart[where, "magnitude"] = tensors["magnitude"][rows]
    return Apart(rank, alpha, apart, split)


def _alpha_of(path: str, config: Mapping[str, Any]) -> float:
    """The alpha of a layer."""
    whole: float = config.get("lora_alpha", 8)
    for key, value in config.get("alpha_pattern", {}).items():
        try:
            if re.search(rf"(^|\.){key}$", path):
                return float(value)
        except (re.error, TypeError, ValueError):
            raise MethodError(f"it sets alpha_pattern of {key!r} to {value!r}, expected a number") from None
    return whole


def _roles_of(
    path: str,
    rank: int,
    count: int,
    layers: dict[str, dict[str, Tensor]],
    slices: dict[str, dict[str, Site]],
) -> list[str]:
    """The role of each update in a fused layer: the first one outside of whose rows its factor B is zero.

    It is so in all layers of the kind: a factor that has not trained is zero everywhere, which tells nothing.

    Raises:
        MethodError: one has none.
    """
    alike = [other for other in slices if slices[other].keys() == slices[path].keys()]
    left, found = dict(slices[path]), []
    for number in range(count):
        columns = slice(number * rank, (number + 1) * rank)
        factors = [(layers[other]["lora_B"][:, columns], slices[other]) for other in alike]
        role = next((r for r in left if all(_lies_in(b, its[r].rows) for b, its in factors)), None)
        if role is None:
            raise MethodError(f"it adapts {path} with rank {count * rank} as one, and the rest with another")
        del left[role]
        found.append(role)
    return found


def _lies_in(factor: Tensor, rows: Rows | None) -> bool:
    """Whether a factor B (out x r) is zero outside of some features."""
    left = torch.ones(len(factor), dtype=torch.bool)
    left[slice(None) if rows is None else rows] = False
    return not factor[left].any()
