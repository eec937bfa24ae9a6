"""Methods that change layers, in the PEFT library's words: ``lora``, ``dora``, ``ia3``.

Source: huggingface/peft@5d602fd (0.21), ``tuners/lora``, ``tuners/ia3``.

* On a fused projection the updates here have factors of their own for each slice. Side by side, with B in
  blocks and zeros for the features that are left alone, they are one update of the whole matrix, of a rank
  that is their sum; alpha grows so that the factor of B A stays. Read back, that is the target ``qkv``.
* DoRA on slices: the features that are left alone keep the length that their weights have.
* (IA)^3 on slices: the features that are left alone are scaled by one.

Tensors are called by the path of their layer from the body, here as in a checkpoint.
"""

from __future__ import annotations

import contextlib
import math
import re
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from methods.anatomy import Anatomy, Rows, Site, oriented
from methods.anatomy.layout import ATTENTION_ROLES, FEED_FORWARD_ROLES
from methods.core import Options, by_module, part_path
from methods.errors import AnatomyError, MethodError
from methods.peft.format import PeftForm
from methods.peft.names import Names, Tensors, Words


class LowRankOptions(Protocol):
    """What is asked of the options of ``lora`` and ``dora``."""

    rank: int
    alpha: float
    dropout: float
    target: tuple[Any, ...]
    rank_stabilized: bool


def low_rank_form(options: type[Options], *, dora: bool = False) -> PeftForm:
    """The form of ``lora``, and with ``use_dora`` of ``dora``."""
    return PeftForm(
        peft_type="LORA",
        options=options,
        to_peft=partial(write_low_rank, dora=dora),
        from_peft=read_low_rank,
        understood=frozenset(
            {
                *("r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "init_lora_weights"),
                *("rank_pattern", "alpha_pattern"),
            }
        ),
        use_dora=dora,
    )


def ia3_form(options: type[Options], outputs: tuple[str, ...]) -> PeftForm:
    """The form of ``ia3``, which scales the outputs of these roles and the input of ``down``."""
    return PeftForm(
        peft_type="IA3",
        options=options,
        to_peft=partial(write_ia3, outputs=outputs),
        from_peft=partial(read_ia3, outputs=outputs),
        understood=frozenset({"feedforward_modules", "init_ia3_weights"}),
    )


_FACTORS = {".lora_A.weight": "lora_A", ".lora_B.weight": "lora_B", ".lora_magnitude_vector": "magnitude"}
"""The ends of peft's names for the tensors of a layer, and ours."""


def write_low_rank(options: LowRankOptions, own: Tensors, anatomy: Anatomy, *, dora: bool) -> Words:
    """peft's ``LORA``, with ``use_dora`` for ``dora``.

    Raises:
        MethodError: DoRA on slices, and the model is without weights.
    """
    rank, names = options.rank, Names(anatomy)
    tensors: Tensors = {}
    layers = by_module(anatomy, options.target)
    for site, roles in layers:
        parts = {part_path(part, role): part.rows for role, part in roles.items()}
        weight = oriented(site.linear(), site.linear().weight.detach())
        factors = [own[f"{path}.lora_B"] for path in parts]
        blocks = factors[0].new_zeros(len(weight), rank * len(parts))
        for number, (factor, rows) in enumerate(zip(factors, parts.values(), strict=True)):
            columns = slice(number * rank, (number + 1) * rank)
            blocks[slice(None) if rows is None else rows, columns] = factor
        tensors[f"{site.path}.lora_A.weight"] = torch.cat([own[f"{path}.lora_A"] for path in parts])
        tensors[f"{site.path}.lora_B.weight"] = blocks
        if dora:
            trained = [(rows, own[f"{path}.magnitude"]) for path, rows in parts.items()]
            tensors[f"{site.path}.lora_magnitude_vector"] = _lengths(site, weight, trained)
    counts = {site.path: len(roles) for site, roles in layers}
    least = min(counts.values())

    def joint(count: int) -> tuple[int, float]:
        """The rank of so many updates side by side, and the alpha that leaves their factor as it is."""
        alpha = options.alpha * (math.sqrt(count) if options.rank_stabilized else count)
        return rank * count, int(alpha) if alpha.is_integer() else alpha

    larger = {
        re.escape(end): joint(count)
        for count in set(counts.values()) - {least}
        for end in names.ends([path for path, its in counts.items() if its == count])
    }
    r, alpha = joint(least)
    return {
        "r": r,
        "lora_alpha": alpha,
        "lora_dropout": options.dropout,
        "bias": "none",
        "use_rslora": options.rank_stabilized,
        "use_dora": dora,
        "target_modules": names.ends(list(counts)),
        "rank_pattern": {end: its[0] for end, its in larger.items()},
        "alpha_pattern": {end: its[1] for end, its in larger.items()},
        "fan_in_fan_out": _are_conv1d(layers),
    }, tensors


def _lengths(site: Site, weight: Tensor, trained: list[tuple[Rows | None, Tensor]]) -> Tensor:
    """The length of each row of a layer: what was trained, and elsewhere the frozen weight's own."""
    rows, lengths = trained[0]
    if rows is None:
        return lengths
    if weight.is_meta:
        raise MethodError(
            f"dora on some features of {site.path}: peft also stores the lengths of the others, which are in "
            "the model's weights; load the model with them and call export_peft()."
        )
    whole = weight.norm(dim=1)
    for rows, lengths in trained:
        whole[rows] = lengths.to(whole)
    return whole


def _are_conv1d(layers: list[tuple[Site, dict[str, Site]]]) -> bool:
    """What peft calls ``fan_in_fan_out``."""
    return any(isinstance(site.linear(), Conv1D) for site, _ in layers)


def read_low_rank(config: dict[str, Any], tensors: Tensors, anatomy: Anatomy) -> Words:
    """A ``LORA`` of peft's; takes the tensors that it understands out of them.

    Raises:
        MethodError: it adapts what is no role of this model, or a part of one.
    """
    found: Found = {}
    for name in list(tensors):
        for end, ours in _FACTORS.items():
            if name.endswith(end):
                found[name.removesuffix(end), ours] = tensors.pop(name)
    paths = {path for path, _ in found}
    rank, alpha = config.get("r", 8), config.get("lora_alpha", 8)
    sliced: list[str] = []
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        rank, alpha, found, split = _taken_apart(config, found, anatomy)
        sliced = _sliced_roles(split, anatomy)
        paths -= split.keys()
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower().startswith(("pissa", "olora", "corda", "loftq", "lora_ga")):
        raise MethodError(f"its initialisation {start!r} has changed the base's weights too")
    options = {
        "rank": rank,
        "alpha": alpha,
        "dropout": config.get("lora_dropout", 0.0),
        "rank_stabilized": config.get("use_rslora", False),
        "target": [*sliced, *_roles(paths, anatomy)],
    }
    return options, {f"{path}.{name}": tensor for (path, name), tensor in found.items()}


Found = dict[tuple[str, str], Tensor]
"""The tensors of a layer by its path and our name."""


def _taken_apart(
    config: dict[str, Any], found: Found, anatomy: Anatomy
) -> tuple[int, float, Found, dict[str, list[str]]]:
    """What :func:`write_low_rank` put side by side in fused layers, taken apart again.

    Returns:
        rank and alpha of one update, the tensors, and the roles that were taken out of each fused layer.

    Raises:
        MethodError: a layer has a rank or an alpha of its own for another reason.
    """
    ranks = {path: factor.shape[0] for (path, name), factor in found.items() if name == "lora_A"}
    rank = math.gcd(*ranks.values(), config.get("r", 8))
    stable = config.get("use_rslora", False)

    def grown(count: int) -> float:
        return math.sqrt(count) if stable else count

    alpha = config.get("lora_alpha", 8) / grown(config.get("r", 8) // rank)
    patterns = config.get("alpha_pattern") or {}
    apart: Found = {}
    roles: dict[str, list[str]] = {}
    for path, whole in ranks.items():
        count = whole // rank
        its = next((v for key, v in patterns.items() if re.search(rf"(^|\.){key}$", path)), None)
        its = config.get("lora_alpha", 8) if its is None else its
        slices = _slices(path, anatomy)
        own = {name: tensor for (where, name), tensor in found.items() if where == path}
        if not math.isclose(its, alpha * grown(count)) or (count > 1 and count > len(slices)):
            raise MethodError(f"it gives {path} rank {whole} and alpha {its:g}, other than to the rest")
        if count == 1:
            apart |= {(path, name): tensor for name, tensor in own.items()}
            continue
        roles[path] = []
        for number in range(count):
            columns = slice(number * rank, (number + 1) * rank)
            factor = own["lora_B"][:, columns]
            role = next((r for r, rows in slices.items() if _lies_in(factor, rows)), None)
            if role is None:
                raise MethodError(f"it adapts {path} with rank {whole} as one, and the rest with another")
            rows = slices.pop(role)
            roles[path].append(role)
            where = f"{path}.{role}"
            apart |= {(where, "lora_A"): own["lora_A"][columns], (where, "lora_B"): factor[rows]}
            if "magnitude" in own:
                apart[where, "magnitude"] = own["magnitude"][rows]
    return rank, alpha, apart, roles


def _slices(path: str, anatomy: Anatomy) -> dict[str, Rows]:
    """The roles that are slices of a fused layer, with their features."""
    found: dict[str, Rows] = {}
    for role in (*ATTENTION_ROLES[:4], *FEED_FORWARD_ROLES):
        with contextlib.suppress(AnatomyError):  # this architecture is without it
            for site in anatomy.sites(role):
                if site.path == path and site.rows is not None:
                    found[role] = site.rows
    return found


def _lies_in(factor: Tensor, rows: Rows) -> bool:
    """Whether a factor B (out x r) is zero outside of some features."""
    left = torch.ones(len(factor), dtype=torch.bool)
    left[rows] = False
    return not factor[left].any()


def _sliced_roles(split: dict[str, list[str]], anatomy: Anatomy) -> list[str]:
    """The roles that were taken out of fused layers, each in every block.

    Raises:
        MethodError: in some blocks only.
    """
    roles = list(dict.fromkeys(role for its in split.values() for role in its))
    for role in roles:
        for site in anatomy.sites(role):
            if role not in split.get(site.path, ()):
                raise MethodError(
                    f"it does not adapt {role} in {site.path}, and a target is a role in every block"
                )
    return roles


def _roles(paths: set[str], anatomy: Anatomy) -> list[str]:
    """The roles that these layers play, each in every block.

    Raises:
        MethodError: they play a role in some blocks only, or none.
    """
    roles, left = [], set(paths)
    for role in (*ATTENTION_ROLES, *FEED_FORWARD_ROLES):
        try:
            members = {site.path for site in anatomy.sites(role) if site.rows is None}
        except AnatomyError:  # this architecture is without it
            continue
        if not members & paths:
            continue
        if missing := sorted(members - paths):
            there = min(members & paths)
            raise MethodError(
                f"it adapts {there} but not {missing[0]}, and a target is a role in every block"
            )
        roles.append(role)
        left -= members
    if left:
        raise MethodError(f"it adapts {min(left)}, which has no role that a target can name")
    return roles


def write_ia3(options: Options, own: Tensors, anatomy: Anatomy, *, outputs: tuple[str, ...]) -> Words:
    """peft's ``IA3``."""
    tensors: Tensors = {}
    layers, names = by_module(anatomy, (*outputs, "down")), Names(anatomy)
    for site, roles in layers:
        if "down" in roles:
            tensors[f"{site.path}.ia3_l"] = own[f"{site.path}.ia3_down"][None]  # (1, in)
            continue
        weight = oriented(site.linear(), site.linear().weight)
        whole = own[f"{site.path}.ia3_{next(iter(roles))}"].new_ones(len(weight), 1)  # (out, 1)
        for role, part in roles.items():
            whole[slice(None) if part.rows is None else part.rows, 0] = own[f"{site.path}.ia3_{role}"]
        tensors[f"{site.path}.ia3_l"] = whole
    inputs = names.ends([site.path for site, roles in layers if "down" in roles])
    others = names.ends([site.path for site, roles in layers if "down" not in roles])
    return {
        "target_modules": others + inputs,
        "feedforward_modules": inputs,  # peft wants a subset
        "fan_in_fan_out": _are_conv1d(layers),
    }, tensors


def read_ia3(
    config: dict[str, Any], tensors: Tensors, anatomy: Anatomy, *, outputs: tuple[str, ...]
) -> Words:
    """An ``IA3`` of peft's; takes the tensors that it understands out of them.

    Raises:
        MethodError: it scales something else than ``ia3`` here.
    """
    own: Tensors = {}
    for site, roles in by_module(anatomy, (*outputs, "down")):
        scales = tensors.pop(f"{site.path}.ia3_l", None)
        if scales is None:
            raise MethodError(
                f"it leaves {site.path} alone, and ia3 scales key, value and down in every block"
            )
        if scales.shape[0 if "down" in roles else -1] != 1:
            side = "inputs" if "down" in roles else "outputs"
            raise MethodError(f"it does not scale the {side} of {site.path}")
        scales = scales.flatten()
        left = torch.ones_like(scales, dtype=torch.bool)
        for role, part in roles.items():
            rows = slice(None) if part.rows is None else part.rows
            own[f"{site.path}.ia3_{role}"] = scales[rows]
            left[rows] = False
        if not torch.all(scales[left] == 1):
            raise MethodError(f"it scales all features of {site.path}, and ia3 those of key and value alone")
    return {}, own
