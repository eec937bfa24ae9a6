"""(IA)^3: trained vectors that scale keys, values and the inner feed-forward activation.

Paper: arXiv 2205.05638, section 3.3; code: r-three/t-few@114dece, src/models/lora.py, configs/ia3.json.

    softmax(Q (l_k * K)^T / sqrt(d)) (l_v * V)          (l_ff * f(W_1 x)) W_2

K and V are the projections' outputs, bias included. The inner activation is scaled behind the
non-linearity; in a gated feed-forward the linear branch, which is the same as scaling the product and is
done here on the input of W_2. The `adapters` library scales W_1's output where nothing is gated, before the
non-linearity: the same for ReLU and a positive scale, another function for GELU. The vectors start at one, so
the function is unchanged at step 0. Every attention is scaled, cross-attention included, as theirs is.
LayerNorms stay frozen. Merging multiplies the rows of W_k and W_v (and their biases) and the columns of W_2.
Learning rate: theirs is 3e-3 with Adafactor over 1,000 steps; 1e-2 is for AdamW in the shorter runs here.
Searched: a decade to either side of the default rate.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from methods.anatomy import Anatomy, Features, Geometry, Linear, Rows, WrappedLinear, oriented, sizes, to_fold
from methods.core import (
    BlockOptions,
    Card,
    Injection,
    LogUniform,
    Method,
    SearchSpace,
    Work,
    Wrap,
    at,
    by_module,
)
from methods.core.precision import beside
from methods.peft.layers import ia3_form

OUTPUTS = ("key", "value")
"""Roles whose output is scaled; of the other, ``down``, the input is."""


class IA3Linear(WrappedLinear):
    """A frozen linear layer with scaled outputs or inputs.

    Args:
        base: the frozen layer.
        rows: for each scaled role of :data:`OUTPUTS`, the output features it plays in; None for all.
        scales_input: scale the input instead.
    """

    def __init__(self, base: Linear, rows: dict[str, Rows | None], scales_input: bool) -> None:
        super().__init__(base)
        out_features, in_features = sizes(base)
        place = beside(base.weight)
        self.scales = nn.ParameterDict()
        self.features = nn.ModuleDict(
            {role: Features(where, base.weight.device) for role, where in rows.items()}
        )
        self.input_scale: nn.Parameter | None = None
        if scales_input:
            self.input_scale = nn.Parameter(torch.ones(in_features, **place))
        for role, features in self.features.items():
            own = cast(Features, features).among(out_features)
            self.scales[role] = nn.Parameter(torch.ones(own, **place))

    def output_scale(self) -> Tensor | None:
        """One factor per output feature, 1 where nothing is scaled; None if nothing is."""
        whole = None
        for role, scale in self.scales.items():
            if whole is None:
                whole = scale.new_ones(sizes(self.base)[0])
            whole = cast(Features, self.features[role]).put(whole, scale)
        return whole

    def forward(self, x: Tensor) -> Tensor:
        """l * (W (l_in * x) + b)."""
        h = self.base(x if self.input_scale is None else (x * self.input_scale).to(x.dtype))
        scale = self.output_scale()
        return h if scale is None else (h * scale).to(h.dtype)

    def folded(self) -> dict[str, Tensor]:
        """The scaled weight, and the scaled bias where there is one; in at least float32."""
        weight = to_fold(self.base)
        dtype = weight.dtype
        matrix = oriented(self.base, weight)
        if self.input_scale is not None:
            matrix *= self.input_scale.detach().to(dtype)
        scale = self.output_scale()
        if scale is None:
            return {"weight": weight}
        scale = scale.detach().to(dtype)
        matrix *= scale[:, None]
        if self.base.bias is None:
            return {"weight": weight}
        return {"weight": weight, "bias": self.base.bias.detach().to(dtype) * scale}


def work(geometry: Geometry, options: BlockOptions) -> Work:
    """No product of its own; scales train on keys, values and the inner activation."""
    return Work(vectors=frozenset({*OUTPUTS, "inner"}), layers=options.layers)


class IA3(Method[BlockOptions]):
    """Trained scales of keys, values and inner feed-forward activations."""

    name = "ia3"
    options = BlockOptions
    mergeable = True
    card = Card(
        summary="Trained vectors scale keys, values and the inner feed-forward activation; merges away.",
        source="arXiv 2205.05638; r-three/t-few@114dece",
        places=at("scale", "key", "value", "down_input"),
        learning_rate=1e-2,
        search_space=SearchSpace(LogUniform(1e-3, 1e-1)),
        work=work,
        peft=ia3_form(BlockOptions, OUTPUTS),
    )

    def inject(self, anatomy: Anatomy, options: BlockOptions) -> Injection:
        """Scale the outputs of the key and value projections and the input of the last feed-forward layer."""
        injection = Injection(options)
        for site, roles in by_module(anatomy.within(options.layers), (*OUTPUTS, "down")):
            rows = {role: s.rows for role, s in roles.items() if role in OUTPUTS}
            wrapper = IA3Linear(site.linear(), rows, scales_input="down" in roles)
            injection.changes.append(Wrap(site, wrapper))
            injection.trained |= {f"{site.path}.ia3_{role}": p for role, p in wrapper.scales.items()}
            if wrapper.input_scale is not None:
                injection.trained[f"{site.path}.ia3_down"] = wrapper.input_scale
        return injection

    def count(self, geometry: Geometry, options: BlockOptions) -> dict[str, int]:
        """L (2d + f) on a BERT-type encoder: the widths of keys and values, and the inner one."""
        linears = geometry.within(options.layers).linears
        return {
            "keys_values": sum(rows for role in OUTPUTS for rows, _ in linears[role]),
            "feed_forward": sum(columns for _, columns in linears["down"]),
        }
