"""LoRA: low-rank updates beside frozen linear layers.

Paper: arXiv 2106.09685, section 4.1; code: microsoft/LoRA@c4593f0, loralib/layers.py.

    h = W0 x + (alpha / r) B A x          A: (r x in), B: (out x r)

B starts at zero, so the function is unchanged at step 0. A starts Kaiming-uniform with a = sqrt(5), that
is U(-1/sqrt(in), 1/sqrt(in)), as the released code has it (the paper says Gaussian). Dropout acts on x
on the low-rank path only. W0 and its bias are frozen. Default targets are query and value, as in all of
the paper's GLUE runs; alpha 16 is that of every script (the paper's table prints 8 for the base model,
microsoft/LoRA#37). Merging writes W0 + (alpha / r) B A and leaves the base's own module in place.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from methods.anatomy import Anatomy, Geometry, walk_linear
from methods.spec import Injection, Method, Options, Swap

Role = Literal["query", "key", "value", "output", "up", "down"]


class LoraOptions(Options):
    """Options of ``lora``."""

    rank: int = Field(8, ge=1, description="inner dimension r of the update")
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the input of the low-rank path while training")
    target: tuple[Role, ...] = Field(
        ("query", "value"), min_length=1, description="linear layers to adapt: query key value output up down"
    )

    @field_validator("target", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        """Accept ``query`` and ``query,value`` as the command line and YAML write them."""
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("target")
    @classmethod
    def _no_repeats(cls, value: tuple[Role, ...]) -> tuple[Role, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each target may be named once")
        return value


class LoRALinear(nn.Module):
    """A frozen linear layer with a low-rank path beside it.

    Args:
        base: the frozen layer, weight (out x in).
        rank: r.
        scaling: alpha / r.
        dropout: probability on the input of the low-rank path.

    Shapes: input (..., in), output (..., out).
    """

    def __init__(self, base: nn.Linear, rank: int, scaling: float, dropout: float) -> None:
        super().__init__()
        like: dict[str, Any] = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.base = base
        self.scaling = scaling
        self.dropout = dropout
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, **like))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, **like))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    @property
    def weight(self) -> Tensor:
        """The frozen weight: some models look at the dtype of a layer's weight."""
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        """W0 x + b + (alpha / r) B A x."""
        h = F.linear(x, self.base.weight, self.base.bias)
        z = F.linear(
            F.dropout(x, self.dropout, self.training) if self.dropout else x, self.lora_A
        )  # (..., r)
        # One kernel for scale, product and sum: on short inputs each extra one costs per cent.
        return torch.addmm(h.flatten(0, -2), z.flatten(0, -2), self.lora_B.t(), alpha=self.scaling).view_as(h)

    def merged_weight(self) -> Tensor:
        """W0 + (alpha / r) B A, in at least float32."""
        dtype = torch.promote_types(self.base.weight.dtype, torch.float32)
        update = self.lora_B.detach().to(dtype) @ self.lora_A.detach().to(dtype)
        return self.base.weight.detach().to(dtype) + self.scaling * update

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"rank={self.lora_A.shape[0]}, scaling={self.scaling}, dropout={self.dropout}"


class LoRA(Method[LoraOptions]):
    """Low-rank updates of linear layers."""

    name = "lora"
    summary = "Low-rank updates beside frozen linear layers; merges away."
    source = "arXiv 2106.09685; microsoft/LoRA@c4593f0"
    options = LoraOptions
    mergeable = True
    learning_rate = 1e-3

    def inject(self, anatomy: Anatomy, options: LoraOptions) -> Injection:
        """Put a low-rank path beside every targeted layer."""
        found = list(walk_linear(anatomy, cast("tuple[str, ...]", options.target)))
        injection = Injection(trained={})
        for site, base in found:
            wrapper = LoRALinear(base, options.rank, options.alpha / options.rank, options.dropout)
            injection.swaps.append(Swap(site, wrapper))
            injection.trained[f"{site.path}.lora_A"] = wrapper.lora_A
            injection.trained[f"{site.path}.lora_B"] = wrapper.lora_B
        return injection

    def count(self, geometry: Geometry, options: LoraOptions) -> dict[str, int]:
        """L times the sum over targets of r (in + out)."""
        per_block = sum(options.rank * sum(geometry.linear(role)) for role in options.target)
        return {"updates": geometry.layers * per_block}
