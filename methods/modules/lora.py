"""Low-rank updates beside frozen linear layers; the equations are in ``methods/lora.py``."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from methods.anatomy import Features, Rows, Shape, Site, oriented
from methods.core import Injection, Instead, Update, UpdatedLinear, Wrap
from methods.core.places import Place
from methods.core.precision import beside
from methods.errors import MethodError

FACTORS = ("lora_A", "lora_B")
"""The factors of an update."""


class LowRank(Update):
    """The factors of one update: B A of a whole layer, or of some of its output features.

    Args:
        shape: (out, in) of what is updated.
        rows: the output features, None for all.
        like: the frozen weight, beside which the factors lie, see ``core/precision.py``.
        rank: r.
        scaling: the factor of the update.
        dropout: on the input of the low-rank path.
        init: how A starts: ``gaussian``, else Kaiming-uniform.
    """

    def __init__(
        self,
        shape: Shape,
        rows: Rows | None,
        like: Tensor,
        *,
        rank: int,
        scaling: float,
        dropout: float,
        init: str,
    ) -> None:
        super().__init__()
        place = beside(like)
        out_features, in_features = shape
        self.scaling = scaling
        self.dropout = dropout
        self.features = Features(rows, like.device)
        self.lora_A = nn.Parameter(torch.empty(rank, in_features, **place))
        self.lora_B = nn.Parameter(torch.zeros(out_features, rank, **place))
        if init == "gaussian":
            nn.init.normal_(self.lora_A, std=1 / rank)
        else:
            nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def dropped(self, x: Tensor) -> Tensor:
        """The input of the low-rank path."""
        return F.dropout(x, self.dropout, self.training) if self.dropout else x

    def add_to(self, h: Tensor, x: Tensor) -> Tensor:
        """h + (alpha / r) B A x, on the features."""
        A, B = self.lora_A, self.lora_B
        z = F.linear(self.dropped(x).to(A.dtype), A)  # (..., r)
        if h.dtype == z.dtype == B.dtype:
            return self.features.add_product(h, z, B.t(), self.scaling)
        # A base in half precision, or autocast: the update is rounded once, with the sum.
        return self.features.add(h, F.linear(z, B), self.scaling)

    def update(self) -> Tensor:
        """(alpha / r) B A, in at least float32."""
        dtype = torch.promote_types(self.lora_A.dtype, torch.float32)
        return self.scaling * (self.lora_B.detach().to(dtype) @ self.lora_A.detach().to(dtype))

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"rank={self.lora_A.shape[0]}, scaling={self.scaling}, dropout={self.dropout}"


class LoRALinear(UpdatedLinear[LowRank]):
    """A frozen linear layer with low-rank paths beside it."""

    def add(self, h: Tensor, x: Tensor, part: LowRank) -> Tensor:
        """h + (alpha / r) B A x."""
        return part.add_to(h, x)

    def updated(self, rows: Tensor, part: LowRank) -> Tensor:
        """W0 + (alpha / r) B A."""
        return rows + part.update()


def principal_part(site: Site, parts: dict[str, LowRank], shared: bool) -> Instead:
    """Start the updates of a layer as the principal part of what they update, and leave the base the rest.

    The residual is what is left of W0 by the factors as they are stored, so that only its own rounding to the
    weight's dtype stands between the two and W0. Where the factors start is kept in buffers, for
    :func:`update_of_the_base`.

    Args:
        site: the layer.
        parts: its updates by role.
        shared: whether other layers hold its weight too.

    Raises:
        MethodError: there is no such part of the layer's weight.
    """
    base = site.linear()
    weight = base.weight.detach()
    if not weight.is_floating_point() or is_traceable_wrapper_subclass(weight):
        raise MethodError(
            f"init=pissa needs the numbers of {site.path}, whose weight is a quantised or sharded "
            f"{type(base.weight).__name__} of {weight.dtype}: use init=kaiming."
        )
    rest = weight.to(torch.promote_types(weight.dtype, torch.float32), copy=True)
    matrix = oriented(base, rest)  # a view: (out x in)
    for role, part in parts.items():
        rows = part.features.of(matrix)
        rank = part.lora_A.shape[0]
        if rank > min(rows.shape):
            raise MethodError(
                f"init=pissa: rank={rank} is more than {role} of {site.path} has, which is "
                f"{rows.shape[0]} x {rows.shape[1]}."
            )
        try:
            u, s, v = torch.linalg.svd(rows, full_matrices=False)
        except torch.linalg.LinAlgError:
            raise MethodError(
                f"init=pissa: no singular values of {role} of {site.path} were found: are its weights finite?"
            ) from None
        root = (s[:rank] / part.scaling).sqrt()
        part.lora_A.data.copy_(root[:, None] * v[:rank])
        part.lora_B.data.copy_(u[:, :rank] * root)
        for name in FACTORS:
            part.register_buffer(f"start_{name}", part.get_parameter(name).detach().clone(), persistent=False)
        part.features.write(matrix, rows - part.update())
    return Instead(Place(base, "weight"), rest, shared)


def update_of_the_base(injection: Injection, own: dict[str, Tensor]) -> dict[str, Tensor]:
    """From the factors of a PiSSA to those of the update of W0 itself, B A - B0 A0: of twice the rank."""
    for change in injection.changes:
        if not isinstance(change, Wrap):
            continue
        for role, module in cast(LoRALinear, change.wrapper).parts.items():
            part = cast(LowRank, module)
            path = change.site.path if part.features.all else f"{change.site.path}.{role}"
            a, b = (f"{path}.{name}" for name in FACTORS)
            start_a, start_b = (part.get_buffer(f"start_{name}").to(own[a]) for name in FACTORS)
            own[a] = torch.cat([own[a], start_a])
            own[b] = torch.cat([own[b], -start_b], dim=1)
    return own
