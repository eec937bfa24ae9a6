"""Low-rank updates, turned and stretched rows, and scales of linear layers, of another task in every row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from methods.anatomy import Features
from methods.bank.rows import Rows
from methods.bank.rowwise import Computed, products
from methods.core import Options
from methods.modules.dora import Direction, DoRALinear
from methods.modules.ia3 import IA3Linear
from methods.modules.lora import LoRALinear, LowRank


class LowRanks(Computed):
    """h + (alpha / r) B A x, with A and B of each row's task; see ``methods/lora.py``."""

    module: LoRALinear | DoRALinear

    def alone(self, options: Options) -> None:
        """Scale as the one task does."""
        for part in self.module.parts.values():
            cast(LowRank, part).scaling = options.scaling  # type: ignore[attr-defined]

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """(..., in) -> (..., out)."""
        (x,) = inputs
        h = self.module.own_output(x)
        for role, module in self.module.parts.items():
            part = cast(LowRank, module)
            A, B = (self.tensor(rows, f"{role}.{name}") for name in ("lora_A", "lora_B"))
            z = products(self.split(rows, x).to(A.dtype), A)  # (batch, n, r)
            h = self.added(rows, h, z, B, part, role)
        return h

    def added(self, rows: Rows, h: Tensor, z: Tensor, B: Tensor, part: LowRank, role: str) -> Tensor:  # noqa: N803
        """h (..., out) with one update."""
        scale = rows.factor(z)
        if part.features.all and h.dtype == z.dtype:
            if isinstance(scale, Tensor):
                z, scale = z * scale, 1.0
            return torch.baddbmm(self.split(rows, h), z, B.transpose(1, 2), alpha=scale).view_as(h)
        update = products(z * scale, B)
        return part.features.add(h, update.view(*h.shape[:-1], -1))


class Directions(LowRanks):
    """h + U + (s - 1) (W0 x + U), with U and s of each row's task; see ``methods/modules/dora.py``.

    s - 1 is made once, when a task is added: the lengths of the rows of W0 + (alpha / r) B A take as long as
    a product with a matrix of that size.
    """

    module: DoRALinear

    def __init__(self, module: DoRALinear, names: Mapping[str, str]) -> None:
        stretches = {
            f"{role}.stretch": names[f"{role}.magnitude"].replace("magnitude", "stretch")
            for role in module.parts
        }
        super().__init__(module, {**names, **stretches})

    def derive(self, tensors: Mapping[str, Tensor], options: Options) -> dict[str, Tensor]:
        """s - 1 = m / ||V|| - 1 for every update, (out)."""
        made = {}
        for role, module in self.module.parts.items():
            part, names = cast(Direction, module), self.names
            own = dict(part._parameters)
            scaling = part.scaling
            self.alone(options)
            try:
                for name, before in own.items():
                    value = tensors[names[f"{role}.{name}"]].to(cast(Tensor, before))
                    part._parameters[name] = nn.Parameter(value, requires_grad=False)
                turned = part.turned(self.module.base)
                made[names[f"{role}.stretch"]] = part.magnitude.detach() / part.lengths(turned) - 1
            finally:
                part._parameters.update(own)
                part.scaling = scaling
        return made

    def added(self, rows: Rows, h: Tensor, z: Tensor, B: Tensor, part: LowRank, role: str) -> Tensor:  # noqa: N803
        """h (..., out) with its features turned and stretched."""
        update = products(z * rows.factor(z), B)  # (batch, n, out)
        straight = self.split(rows, part.features.of_last(h)).to(update.dtype)
        if (bias := self.module.base.bias) is not None:
            straight = straight - part.features.of(bias)
        stretch = self.tensor(rows, f"{role}.stretch")[:, None]
        change = torch.addcmul(update, stretch, straight + update)
        return part.features.add(h, change.view(*h.shape[:-1], -1))


class Scales(Computed):
    """l * (W (l_in * x) + b), with l and l_in of each row's task; see ``methods/ia3.py``."""

    module: IA3Linear

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """(..., in) -> (..., out)."""
        (x,) = inputs
        base, scales = self.module.base, self.module.scales
        if "input_scale" in self.names:
            x = self._scaled(rows, x, "input_scale", None)
        h: Tensor = base(x)
        for role in scales:
            h = self._scaled(rows, h, role, cast(Features, self.module.features[role]))
        return h

    def _scaled(self, rows: Rows, x: Tensor, name: str, features: Features | None) -> Tensor:
        scale = self.tensor(rows, name)
        if features is not None and not features.all:
            whole = scale.new_ones(scale.shape[0], x.shape[-1])
            whole[:, cast(Any, features.rows)] = scale
            scale = whole
        return (self.split(rows, x) * scale[:, None]).to(x.dtype).view_as(x)
