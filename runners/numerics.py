"""How the numbers of a model are stored and computed: dtypes, few bits, attention, what is computed again.

A model is loaded so once, and is so wherever it is called: in training, scoring, memory, latency.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # a study says how numbers are stored, and is read without torch
    import torch
    from transformers import PreTrainedModel

    from methods import Adapted

Precision = Literal["float32", "bfloat16", "float16"]
BaseDtype = Literal["float32", "bfloat16"]
Quantization = Literal["nf4", "int8"]
Attention = Literal["eager", "sdpa"]

PACKING = "bitsandbytes"
"""The library that stores weights in few bits, an optional package."""


class NumericsError(ValueError):
    """Something cannot be stored or computed as asked; the message is one sentence without its subject."""


@dataclass(frozen=True)
class Numerics:
    """How a model is stored and computed; the defaults are a model in float32 as transformers makes it."""

    precision: Precision = "float32"
    """Of the computation: autocast, where that is not float32."""
    base_dtype: BaseDtype = "float32"
    """Of what is frozen; what trains is in float32."""
    quantization: Quantization | None = None
    """Of the frozen linear layers."""
    gradient_checkpointing: bool = False
    attention: Attention | None = None
    """None is the model's own choice."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the base."""
        return torch_dtype(self.base_dtype)

    @property
    def computed_in(self) -> torch.dtype:
        """What products are computed in."""
        return torch_dtype(self.precision)

    def check(self) -> None:
        """Refuse what makes no sense, or needs a package that is not there.

        Raises:
            NumericsError: one sentence.
        """
        if self.base_dtype not in ("float32", self.precision):
            raise NumericsError(
                f"base_dtype={self.base_dtype} computes in its own dtype, and precision={self.precision}: "
                f"expected precision: {self.base_dtype}"
            )
        if self.quantization is not None and importlib.util.find_spec(PACKING) is None:
            raise NumericsError(
                f"quantization={self.quantization} needs the package {PACKING}: pip install {PACKING}"
            )

    def slow_here(self) -> str | None:
        """A sentence where this machine computes the precision without instructions for it; else None."""
        from runners import device

        if self.precision == "float32" or device.has_products_of(self.computed_in):
            return None
        return (
            f"This machine has no instructions for products of {self.precision}: "
            "the trial runs, and its times say little of one that has."
        )

    def loading(self, head: Collection[str] = ()) -> dict[str, Any]:
        """Arguments of ``from_pretrained``; ``head`` names the modules of the task head, which stay whole."""
        from transformers import BitsAndBytesConfig

        from runners import device

        arguments: dict[str, Any] = {"dtype": self.dtype}
        if self.attention is not None:
            arguments["attn_implementation"] = self.attention
        if self.quantization == "nf4":
            arguments["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=self.computed_in,
                llm_int8_skip_modules=list(head),
            )
        elif self.quantization == "int8":
            # It says at every product that its input is cast to float16.
            logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
            arguments["quantization_config"] = BitsAndBytesConfig(
                load_in_8bit=True, llm_int8_skip_modules=list(head)
            )
        if self.quantization is not None:  # it packs where the weights arrive, and only there
            arguments["device_map"] = {"": device.local()}
        return arguments

    def apply(self, model: PreTrainedModel) -> PreTrainedModel:
        """Let a loaded model compute so, from now on; return it.

        Raises:
            NumericsError: it cannot compute again what a backward pass needs.
        """
        if self.gradient_checkpointing:
            if not model.supports_gradient_checkpointing:
                raise NumericsError(
                    f"gradient_checkpointing cannot be had of {type(model).__name__}, which has no blocks "
                    "that can be computed again: expected false"
                )
            model.activation_checkpointing_enable({"use_reentrant": False})
            # It lets the embeddings need a gradient, for the reentrant way; then what is frozen would too.
            model.disable_input_require_grads()
        if self.precision != "float32":
            _autocast(model, self.computed_in)
        return model


def torch_dtype(name: str) -> torch.dtype:
    """The dtype of torch that has this name."""
    import torch

    found: torch.dtype = getattr(torch, name)
    return found


def _autocast(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Let every call of the model run under autocast; its backward pass does not, as torch advises."""
    import torch

    own = type(model).forward

    @functools.wraps(own)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        with torch.autocast(self.device.type, dtype):
            return own(self, *args, **kwargs)

    model.forward = MethodType(forward, model)  # a copy of the model gets one of its own


def keeps_nothing(adapted: Adapted) -> bool:
    """Whether no parameter of the body stays frozen."""
    own = {id(p) for p in adapted.of_the_task().values()}
    return all(id(p) in own for p in adapted.anatomy.body_parameters().values())


def head_modules(model: PreTrainedModel) -> list[str]:
    """Names of the modules that few bits leave whole: those of the task head, and a language model's output.

    The latter may share its weights with the embeddings.
    """
    from methods.anatomy import Anatomy

    output = model.get_output_embeddings()
    named = {place for place, module in model.named_modules() if module is output and output is not None}
    return sorted(named | {name.rpartition(".")[0] for name in Anatomy(model).head_parameters()})


def whole(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Make plain layers of those that were to be packed, and whose weights no checkpoint held: none arrived.

    Args:
        model: as loaded.
        names: of the parameters that it did not hold.
    """
    from torch import nn

    for path in {name.rpartition(".")[0] for name in names if name.endswith(".weight")}:
        layer = model.get_submodule(path)
        if not isinstance(layer, nn.Linear) or type(layer) is nn.Linear:
            continue
        plain = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        plain.weight, plain.bias = layer.weight, layer.bias
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, plain.train(layer.training))


def pack(model: PreTrainedModel, numerics: Numerics) -> None:
    """Store the linear layers of the body in few bits, as loading does; for a model that was just made."""
    from bitsandbytes.nn import Linear4bit, Linear8bitLt
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    skipped, where = set(head_modules(model)), model.device
    for path, module in list(model.named_modules()):
        if path in skipped or not isinstance(module, nn.Linear | Conv1D):
            continue
        weight = module.weight.t() if isinstance(module, Conv1D) else module.weight
        rows, columns = weight.shape
        biased = module.bias is not None
        packed: Any
        if numerics.quantization == "nf4":
            packed = Linear4bit(columns, rows, biased, numerics.computed_in, quant_type="nf4")
        else:
            packed = Linear8bitLt(columns, rows, biased, has_fp16_weights=False)
        packed.load_state_dict({"weight": weight} | ({"bias": module.bias} if biased else {}))
        packed.requires_grad_(False)
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, packed.to(where))
