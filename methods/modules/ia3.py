"""Linear layers with scaled outputs or inputs; the equations are in ``methods/ia3.py``."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from methods.anatomy import Features, Linear, Rows, WrappedLinear, oriented, sizes, to_fold
from methods.core.precision import beside


class IA3Linear(WrappedLinear):
    """A frozen linear layer with scaled outputs or inputs.

    Args:
        base: the frozen layer.
        rows: for each role whose output is scaled, the output features it plays in; None for all.
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
