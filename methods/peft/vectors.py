"""VeRA in the PEFT library's words: its vectors by layer, and the matrices that all layers share.

Source: huggingface/peft@5d602fd (0.21), ``tuners/vera``.

peft draws the matrices from ``projection_prng_key`` as Paretune does from the seed, and keeps them too.
Read back they are drawn again, and a folder whose own are others is refused: a checkpoint here keeps the seed
alone. On a fused projection peft has one pair of vectors for the whole layer, which is the target ``qkv``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from methods.anatomy import Anatomy, Shape
from methods.core import Options, by_module
from methods.errors import MethodError
from methods.peft.format import PeftForm
from methods.peft.layers import are_conv1d
from methods.peft.names import Names, Tensors, Words
from methods.peft.targets import targets_of

Draw = Callable[[int, int, Sequence[Shape]], tuple[Tensor, Tensor]]
"""From a seed, a rank and the sizes of all targets to A and B."""

_VECTORS = {".vera_lambda_d": "vera_d", ".vera_lambda_b": "vera_b"}
_MATRICES = ("base_model.vera_A", "base_model.vera_B")


class VectorOptions(Protocol):
    """What is asked of the options of ``vera``."""

    rank: int
    d_initial: float
    dropout: float
    target: tuple[Any, ...]
    seed: int
    layers: tuple[int, ...] | None


def vera_form(options: type[Options], draw: Draw) -> PeftForm:
    """The form of ``vera``, whose matrices are drawn so."""
    return PeftForm(
        peft_type="VERA",
        options=options,
        to_peft=partial(write_vera, draw=draw),
        from_peft=partial(read_vera, kind=options, draw=draw),
        understood=frozenset(
            {"r", "d_initial", "vera_dropout", "projection_prng_key", "save_projection", "init_weights"}
        ),
    )


def _shapes(anatomy: Anatomy, options: VectorOptions) -> list[Shape]:
    layers = by_module(anatomy.within(options.layers), options.target)
    return [part.shape() for _, roles in layers for part in roles.values()]


def write_vera(options: VectorOptions, own: Tensors, anatomy: Anatomy, *, draw: Draw) -> Words:
    """peft's ``VERA``.

    Raises:
        MethodError: a fused layer is adapted in parts.
    """
    tensors: Tensors = {}
    layers = by_module(anatomy.within(options.layers), options.target)
    for site, roles in layers:
        if any(part.rows is not None for part in roles.values()):
            raise MethodError(
                f"vera adapts {' and '.join(roles)} of {site.path} apart, and peft a fused layer as a whole: "
                "train with target qkv for that."
            )
        for theirs, ours in _VECTORS.items():
            tensors[f"{site.path}{theirs}"] = own[f"{site.path}.{ours}"]
    matrices = draw(options.seed, options.rank, _shapes(anatomy, options))
    tensors |= dict(zip(_MATRICES, matrices, strict=True))
    return {
        "r": options.rank,
        "d_initial": options.d_initial,
        "vera_dropout": options.dropout,
        "projection_prng_key": options.seed,
        "save_projection": True,
        "bias": "none",
        "target_modules": Names(anatomy).ends([site.path for site, _ in layers]),
        "fan_in_fan_out": are_conv1d(layers),
    }, tensors


def read_vera(
    config: dict[str, Any], tensors: Tensors, anatomy: Anatomy, *, kind: type[Options], draw: Draw
) -> Words:
    """A ``VERA`` of peft's, as options of a kind; takes the tensors that it understands out of them.

    Raises:
        MethodError: it adapts what is no role of this model, or has other matrices than its seed gives here.
        OptionError: an option has a value that it cannot have.
    """
    found: Tensors = {}
    for name in list(tensors):
        for end, ours in _VECTORS.items():
            if name.endswith(end):
                found[f"{name.removesuffix(end)}.{ours}"] = tensors.pop(name)
    options = {
        "rank": config.get("r", 256),
        "d_initial": config.get("d_initial", 0.1),
        "dropout": config.get("vera_dropout", 0.0),
        **targets_of({name.rpartition(".")[0] for name in found}, {}, anatomy),
        "seed": config.get("projection_prng_key", 0),
    }
    valid: Any = kind.parse("vera", options)
    drawn = draw(valid.seed, valid.rank, _shapes(anatomy, valid))
    for name, matrix in zip(_MATRICES, drawn, strict=True):
        if not torch.equal(tensors.pop(name, matrix).to(matrix), matrix):
            raise MethodError(
                f"its {name.rpartition('.')[2]} is not what its projection_prng_key {valid.seed} gives "
                "here, and vera keeps no more than that"
            )
    return options, found
