"""How a pass runs through a model, read off its modules."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import MODEL_FOR_QUESTION_ANSWERING_MAPPING, MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.drawn import fresh
from methods.anatomy.geometry import Geometry
from methods.anatomy.layers import is_linear, is_norm, sizes
from methods.anatomy.wiring import Wiring
from methods.errors import AnatomyError

NEEDED = ("query", "key", "value", "output", "up", "down")
"""Roles without which it is not known what a pass computes."""


def wiring_of(anatomy: Anatomy, geometry: Geometry) -> Wiring:
    """Read the wiring of a model that holds no method yet.

    Args:
        anatomy: the model.
        geometry: its sizes.

    Raises:
        AnatomyError: the architecture has no known layout, or its attention multiplies more than queries,
            keys and values (DeBERTa), so that the sizes do not say what a pass computes.
    """
    layouts = anatomy.layouts
    if any(layout.experts for layout in layouts):
        raise AnatomyError(
            f"{anatomy} has a mixture of experts: which of them run depends on the input, so its FLOPs "
            "have no closed form here."
        )
    if any(layout.attends_to_positions for layout in layouts):
        raise AnatomyError(
            f"{anatomy} attends to positions by products of their own: its FLOPs have no closed form here."
        )
    if any(layout.bare for layout in layouts):
        raise AnatomyError(
            f"{anatomy} has norms behind its sub-layers alone: no closed form of its FLOPs here."
        )
    for stack in anatomy.stacks:
        anatomy.fact(stack, "block_norm")
        anatomy.fact(stack, "causal")
    if not geometry.embedding:
        raise AnatomyError(f"{anatomy} reads no tokens: its FLOPs have no closed form here.")
    for role in NEEDED:
        if not geometry.linears[role]:
            raise AnatomyError(f"{anatomy} has no {role}: its FLOPs have no closed form here.")
    if not anatomy.is_known:
        known = {id(site.linear()) for role in geometry.linears for site in anatomy.sites(role)}
        inside = [m for block in anatomy.blocks for m in block.module.modules() if is_linear(m)]
        if any(id(layer) not in known for layer in inside):
            raise AnatomyError(f"{anatomy} has layers of no known role: its FLOPs have no closed form here.")
    body = anatomy.body_prefix
    drawn = [name for name in fresh(anatomy.model) if name.startswith(body)]
    if in_front := [name for name in drawn if not name.startswith(f"{body}pooler.")]:
        raise AnatomyError(
            f"{anatomy} trains {min(in_front)} with its head: its FLOPs have no closed form here."
        )
    head = _head(anatomy)
    elsewhere = {id(m) for block in anatomy.blocks for m in block.module.modules()} | {id(m) for m in head}
    around = {name: m for name, m in anatomy.body.named_modules() if id(m) not in elsewhere}
    linears = {name: sizes(m) for name, m in around.items() if is_linear(m)}
    pooler = {name for name in linears if name.split(".")[0] == "pooler"}
    entering = {n for n, (_, into) in linears.items() if n not in pooler and into == geometry.embedding}
    blocks = len(anatomy.blocks)
    runs = getattr(anatomy.config, "num_hidden_layers", blocks) // blocks
    pre_norm = layouts[0].block_norm is None
    biases = {
        role
        for role in geometry.linears
        if all(site.linear().bias is not None for site in anatomy.sites(role))
    }
    if all(getattr(m, "bias", None) is not None for m in anatomy.body.modules() if is_norm(m)):
        biases.add("norm")
    return Wiring(
        runs=1 if anatomy.is_encoder_decoder else max(1, runs),
        parallel=any(layout.parallel for layout in layouts),
        pre_norm=pre_norm,
        embedding_norm=not pre_norm and any(is_norm(m) for m in around.values()),
        biases=frozenset(biases),
        before=tuple(linears[name] for name in linears if name in entering),
        after=tuple(linears[name] for name in linears if name not in entering | pooler),
        pooler=tuple(linears[name] for name in linears if name in pooler),
        head=tuple(sizes(m) for m in head),
        head_reads_tokens=anatomy.is_language_model
        or _is_any(anatomy, MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING, MODEL_FOR_QUESTION_ANSWERING_MAPPING)
        or (layouts[-1].causal and not anatomy.is_encoder_decoder),
        head_is_pretrained=anatomy.is_language_model,
    )


def _is_any(anatomy: Anatomy, *mappings: Any) -> bool:
    """Whether a model's class is what transformers' mappings have for its configuration."""
    return any(type(anatomy.model) is mapping.get(type(anatomy.config), None) for mapping in mappings)


def _head(anatomy: Anatomy) -> list[nn.Module]:
    """The linear layers outside the body, and those inside that came from no checkpoint.

    Some models with a language modelling head are their own body.
    """
    output, drawn = anatomy.model.get_output_embeddings(), fresh(anatomy.model)
    body = {id(m) for m in anatomy.body.modules() if m is not output}
    every = {name: m for name, m in anatomy.model.named_modules() if is_linear(m)}
    return [m for name, m in every.items() if id(m) not in body or f"{name}.weight" in drawn]
