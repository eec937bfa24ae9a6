"""LoRA: low-rank updates beside frozen linear layers.

Paper: arXiv 2106.09685, section 4.1; code: microsoft/LoRA@c4593f0, loralib/layers.py.

    h = W0 x + (alpha / r) B A x          A: (r x in), B: (out x r)

B starts at zero, so the function is unchanged at step 0. A starts Kaiming-uniform with a = sqrt(5), that
is U(-1/sqrt(in), 1/sqrt(in)), as the released code has it (the paper says Gaussian; ``init="gaussian"`` is
N(0, 1/r^2), as peft has it). Dropout acts on x
on the low-rank path only. W0 and its bias are frozen. Default targets are query and value of every
attention, as in all of the paper's GLUE runs; alpha 16 is that of every script (the paper's table prints
8 for the base model, microsoft/LoRA#37). Merging writes W0 + (alpha / r) B A and leaves the base's own
module in place.

On a fused query/key/value projection each targeted role has factors of its own and the features of the
others are left alone bit by bit, as in the released code's merged layer. The target ``qkv`` adapts the
fused matrix as one, with one A for all three: what peft does by default, with the same count, and another
method. ``rank_stabilized`` divides by sqrt(r) instead of r (rsLoRA, arXiv 2312.03732, equation 3).

``init="pissa"`` (PiSSA, arXiv 2404.02948, section 3; code: huggingface/peft@5d602fd, tuners/lora/layer.py)
starts both factors from the r largest singular values of W0 = U S V^T, and freezes what they leave of it.
With s = alpha / r:

    B = U_r (S_r / s)^(1/2)        A = (S_r / s)^(1/2) V_r^T        h = (W0 - s B0 A0) x + s B A x

The function at step 0 is that of the base but for rounding. The decomposition is in at least float32, and of
the targeted slice where a projection is fused; the residual is rounded once to the weight's dtype. W0 is kept
in host memory, so that removing gives it back bit by bit. A checkpoint keeps the update of W0 itself,
s (B A - B0 A0) as factors of rank 2r, which loads onto the untouched base without a decomposition, and trains
on from there as a plain LoRA of that rank. On a base in half precision the two differ by the rounding of the
residual.

``b_rate`` is LoRA+ (arXiv 2402.12354): B trains at a multiple of A's learning rate, about 16 in the paper.
The task head has the rate of A; peft's helper (optimizers/loraplus.py) gives B's rate to every vector that
trains too, such as the head's biases and DoRA's lengths.

Searched: rates of 1e-4 to 1e-2, which hold the scripts' 2e-4 to 5e-4, and ranks around the 8 of the paper's
GLUE runs. Alpha stays what it is, as in the paper (section 4.1).
"""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from methods.anatomy import (
    Anatomy,
    Features,
    Geometry,
    Rows,
    Shape,
    Site,
    oriented,
)
from methods.core import (
    LATER,
    Card,
    Chain,
    Choice,
    Injection,
    Instead,
    Layers,
    LogUniform,
    Method,
    Options,
    SearchSpace,
    Targets,
    Update,
    UpdatedLinear,
    Work,
    Wrap,
    at,
    by_module,
    part_path,
)
from methods.core.places import Place, every_place
from methods.core.precision import beside
from methods.errors import MethodError
from methods.peft.layers import low_rank_form

FACTORS = ("lora_A", "lora_B")
"""The factors of an update."""


class LoraOptions(Options):
    """Options of ``lora``."""

    rank: int = Field(8, ge=1, description="inner dimension r of the update")
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the input of the low-rank path while training")
    target: Targets = Field(
        ("query", "value"),
        description="linear layers to adapt: query key value output up down gate, or a fused qkv as one",
    )
    rank_stabilized: bool = Field(False, description="scale by alpha / sqrt(rank): rsLoRA")
    init: Literal["kaiming", "gaussian", "pissa"] = Field(
        "kaiming",
        description="how A starts, with B at zero; pissa: both, from the weight's singular vectors",
        json_schema_extra=LATER,
    )
    layers: Layers = None
    b_rate: float = Field(
        1.0,
        gt=0,
        description="learning rate of B relative to A's: LoRA+, where 16 is usual",
        json_schema_extra=LATER,
    )

    @property
    def scaling(self) -> float:
        """The factor of the update."""
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilized else self.rank)


class LowRank(Update):
    """The factors of one update: B A of a whole layer, or of some of its output features.

    Args:
        shape: (out, in) of what is updated.
        rows: the output features, None for all.
        options: rank, scaling, dropout.
        like: the frozen weight, beside which the factors lie, see ``core/precision.py``.
    """

    def __init__(self, shape: Shape, rows: Rows | None, options: LoraOptions, like: Tensor) -> None:
        super().__init__()
        place = beside(like)
        out_features, in_features = shape
        self.scaling = options.scaling
        self.dropout = options.dropout
        self.features = Features(rows, like.device)
        self.lora_A = nn.Parameter(torch.empty(options.rank, in_features, **place))
        self.lora_B = nn.Parameter(torch.zeros(out_features, options.rank, **place))
        if options.init == "gaussian":
            nn.init.normal_(self.lora_A, std=1 / options.rank)
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
    :meth:`LoRA.stored`.

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


def work(geometry: Geometry, options: LoraOptions) -> Work:
    """2r (in + out) per token beside every targeted matrix."""
    r, linears = options.rank, geometry.within(options.layers).linears
    return Work(
        beside={
            role: [(Chain(((r, columns), (rows, r))),) for rows, columns in linears[role]]
            for role in options.target
        },
        layers=options.layers,
    )


class LoRA(Method[LoraOptions]):
    """Low-rank updates of linear layers."""

    name = "lora"
    options = LoraOptions
    mergeable = True
    card = Card(
        summary="Low-rank updates beside frozen linear layers; merges away.",
        source="arXiv 2106.09685; microsoft/LoRA@c4593f0",
        places=at("low-rank update", "query", "value"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"rank": Choice((4, 8, 16))}),
        work=work,
        peft=low_rank_form(LoraOptions),
    )

    def inject(self, anatomy: Anatomy, options: LoraOptions) -> Injection:
        """Put low-rank paths beside every targeted layer."""
        injection, splits = Injection(options), options.init == "pissa"
        held = every_place(anatomy.model.modules()) if splits else {}
        for site, roles in by_module(anatomy.within(options.layers), options.target):
            base = site.linear()
            parts = {r: LowRank(s.shape(), s.rows, options, base.weight) for r, s in roles.items()}
            if splits:
                shared = len(held.get(id(base.weight), ())) > 1
                injection.changes.append(principal_part(site, parts, shared))
            injection.changes.append(Wrap(site, LoRALinear(base, parts)))
            for role, part in parts.items():
                path = part_path(roles[role], role)
                injection.trained |= {f"{path}.lora_A": part.lora_A, f"{path}.lora_B": part.lora_B}
                injection.rates[f"{path}.lora_B"] = options.b_rate
        return injection

    def count(self, geometry: Geometry, options: LoraOptions) -> dict[str, int]:
        """The sum over targeted matrices of r (in + out): 4 L d r for query and value of width d."""
        linears = geometry.within(options.layers).linears
        shapes = [shape for role in options.target for shape in linears[role]]
        return {"updates": sum(options.rank * (rows + columns) for rows, columns in shapes)}

    def stored(self, injection: Injection) -> tuple[Options, dict[str, Tensor]]:
        """The factors; of PiSSA the update of W0 itself, B A - B0 A0, of twice the rank."""
        options, own = injection.options, {n: p.detach() for n, p in injection.live.items()}
        if not isinstance(options, LoraOptions) or options.init != "pissa":
            return options, own
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
        rank = 2 * options.rank
        changed = {"rank": rank, "alpha": options.scaling * rank, "rank_stabilized": False, "init": "kaiming"}
        return options.model_copy(update=changed), own
