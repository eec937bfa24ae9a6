"""Norm tuning in the PEFT library's words: a trained copy of every normalisation layer.

Source: huggingface/peft@5d602fd (0.21), ``tuners/ln_tuning``.
"""

from __future__ import annotations

from typing import Any

from methods.anatomy import Anatomy
from methods.core import Options
from methods.errors import MethodError
from methods.peft.format import PeftForm
from methods.peft.names import Names, Tensors, Words

_COPY = "ln_tuning_layers"


def norm_form(options: type[Options]) -> PeftForm:
    """The form of ``ln``."""
    return PeftForm(
        peft_type="LN_TUNING",
        options=options,
        to_peft=write_norms,
        from_peft=read_norms,
        understood=frozenset(),
    )


def write_norms(options: Options, own: Tensors, anatomy: Anatomy) -> Words:
    """peft's ``LN_TUNING``."""
    tensors = {}
    for name, tensor in own.items():
        path, _, parameter = name.rpartition(".")
        tensors[f"{path}.{_COPY}.{parameter}"] = tensor
    paths = dict.fromkeys(name.rpartition(".")[0] for name in own)
    return {"target_modules": Names(anatomy).ends(list(paths))}, tensors


def read_norms(config: dict[str, Any], tensors: Tensors, anatomy: Anatomy) -> Words:
    """An ``LN_TUNING`` of peft's; takes the tensors that it understands out of them.

    Raises:
        MethodError: it trains some normalisation layers of a block and leaves others of it alone.
    """
    own: Tensors = {}
    every = anatomy.trainable(anatomy.norm_parameters())
    for name in every:
        path, _, parameter = name.rpartition(".")
        if (tensor := tensors.pop(f"{path}.{_COPY}.{parameter}", None)) is not None:
            own[name] = tensor
    if own.keys() == every.keys():
        return {}, own
    blocks = [b for b, block in enumerate(anatomy.blocks) if any(n.startswith(f"{block.path}.") for n in own)]
    norms = anatomy.trainable(anatomy.within(blocks).norm_parameters()) if blocks else every
    if strange := sorted(norms.keys() ^ own.keys()):
        does = f"leaves {strange[0]} alone" if strange[0] in norms else f"trains {strange[0]}"
        raise MethodError(f"it {does}, and ln trains every normalisation layer, or those of some blocks")
    return {"layers": blocks}, own
