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

import math
import re
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from methods.anatomy import Anatomy, Rows, Site, frozen, sizes
from methods.core import BlockOptions, Options, by_module, part_path
from methods.errors import MethodError
from methods.peft.format import PeftForm
from methods.peft.names import Names, Tensors, Words
from methods.peft.slices import Found, fused, nameable, taken_apart
from methods.peft.targets import targets_of


class LowRankOptions(Protocol):
    """What is asked of the options of ``lora`` and ``dora``."""

    rank: int
    alpha: float
    dropout: float
    target: tuple[Any, ...]
    rank_stabilized: bool
    layers: tuple[int, ...] | None


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
    layers = by_module(anatomy.within(options.layers), options.target)
    for site, roles in layers:
        parts = {part_path(part, role): part.rows for role, part in roles.items()}
        factors = [own[f"{path}.lora_B"] for path in parts]
        blocks = factors[0].new_zeros(sizes(site.linear())[0], rank * len(parts))
        for number, (factor, rows) in enumerate(zip(factors, parts.values(), strict=True)):
            columns = slice(number * rank, (number + 1) * rank)
            blocks[slice(None) if rows is None else rows, columns] = factor
        tensors[f"{site.path}.lora_A.weight"] = torch.cat([own[f"{path}.lora_A"] for path in parts])
        tensors[f"{site.path}.lora_B.weight"] = blocks
        if dora:
            trained = [(rows, own[f"{path}.magnitude"]) for path, rows in parts.items()]
            tensors[f"{site.path}.lora_magnitude_vector"] = _lengths(site, trained)
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
        "fan_in_fan_out": are_conv1d(layers),
    }, tensors


def _lengths(site: Site, trained: list[tuple[Rows | None, Tensor]]) -> Tensor:
    """The length of each row of a layer: what was trained, and elsewhere the frozen weight's own."""
    rows, lengths = trained[0]
    if rows is None:
        return lengths
    if site.linear().weight.is_meta:
        raise MethodError(
            f"dora on some features of {site.path}: peft also stores the lengths of the others, which are in "
            "the model's weights; load the model with them and call export_peft()."
        )
    whole = frozen(site.linear()).norm(dim=1)
    for rows, lengths in trained:
        whole[rows] = lengths.to(whole)
    return whole


def are_conv1d(layers: list[tuple[Site, dict[str, Site]]]) -> bool:
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
    paths, split = {path for path, _ in found}, {}
    rank, alpha = config.get("r", 8), config.get("lora_alpha", 8)
    whole = nameable(anatomy)
    if config.get("rank_pattern") or config.get("alpha_pattern") or paths & fused(anatomy).keys() - whole:
        apart = taken_apart(config, found, whole, anatomy)
        rank, alpha, found, split = apart.rank, apart.alpha, apart.tensors, apart.split
        paths -= split.keys()
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower().startswith(("pissa", "olora", "corda", "loftq", "lora_ga")):
        raise MethodError(f"its initialisation {start!r} has changed the base's weights too")
    options = {
        "rank": rank,
        "alpha": alpha,
        "dropout": config.get("lora_dropout", 0.0),
        "rank_stabilized": config.get("use_rslora", False),
        **targets_of(paths, split, anatomy),
    }
    return options, {f"{path}.{name}": tensor for (path, name), tensor in found.items()}


def write_ia3(options: BlockOptions, own: Tensors, anatomy: Anatomy, *, outputs: tuple[str, ...]) -> Words:
    """peft's ``IA3``."""
    tensors: Tensors = {}
    layers, names = by_module(anatomy.within(options.layers), (*outputs, "down")), Names(anatomy)
    for site, roles in layers:
        if "down" in roles:
            tensors[f"{site.path}.ia3_l"] = own[f"{site.path}.ia3_down"][None]  # (1, in)
            continue
        whole = own[f"{site.path}.ia3_{next(iter(roles))}"].new_ones(sizes(site.linear())[0], 1)  # (out, 1)
        for role, part in roles.items():
            whole[slice(None) if part.rows is None else part.rows, 0] = own[f"{site.path}.ia3_{role}"]
        tensors[f"{site.path}.ia3_l"] = whole
    inputs = names.ends([site.path for site, roles in layers if "down" in roles])
    others = names.ends([site.path for site, roles in layers if "down" not in roles])
    return {
        "target_modules": others + inputs,
        "feedforward_modules": inputs,  # peft wants a subset
        "fan_in_fan_out": are_conv1d(layers),
    }, tensors


def read_ia3(
    config: dict[str, Any], tensors: Tensors, anatomy: Anatomy, *, outputs: tuple[str, ...]
) -> Words:
    """An ``IA3`` of peft's; takes the tensors that it understands out of them.

    Raises:
        MethodError: it scales something else than ``ia3`` here.
    """
    own: Tensors = {}
    numbers = [
        number
        for number in range(len(anatomy.blocks))
        if any(
            f"{site.path}.ia3_l" in tensors
            for site, _ in by_module(anatomy.within([number]), (*outputs, "down"))
        )
    ]
    for site, roles in by_module(anatomy.within(numbers or None), (*outputs, "down")):
        scales = tensors.pop(f"{site.path}.ia3_l", None)
        if scales is None:
            raise MethodError(
                f"it leaves {site.path} alone, and ia3 scales key, value and down in all of a block"
            )
        out, into = sizes(site.linear())
        side, expected = ("inputs", (1, into)) if "down" in roles else ("outputs", (out, 1))
        if scales.shape != expected:
            shape = tuple(scales.shape)
            raise MethodError(f"its scales of the {side} of {site.path} are {shape}, expected {expected}")
        scales = scales.flatten()
        left = torch.ones_like(scales, dtype=torch.bool)
        for role, part in roles.items():
            rows = slice(None) if part.rows is None else part.rows
            own[f"{site.path}.ia3_{role}"] = scales[rows]
            left[rows] = False
        if not torch.all(scales[left] == 1):
            raise MethodError(f"it scales all features of {site.path}, and ia3 those of key and value alone")
    return {"layers": None if len(numbers) == len(anatomy.blocks) else numbers}, own
