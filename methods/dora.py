"""DoRA: a low-rank update of the direction of each weight row, and a trained length.

Paper: arXiv 2402.09353, equations 5 and 11; code: NVlabs/DoRA and huggingface/peft@5d602fd,
tuners/lora/dora.py.

    W' = m * V / ||V||        V = W0 + (alpha / r) B A        m: (out), ||.|| over each row of (out x in)

(The paper writes weights as (in x out) and calls the rows columns.) m starts as ||W0||, so that with B = 0
the function is unchanged at step 0, bit by bit. The norm is a constant for the gradient (section 4.3).
Factors, scaling, targets, fused projections and the rate of B are those of ``lora``; lengths have the rate of
A. Merging writes W'. Searched: what
``lora`` searches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from methods.anatomy import Geometry
from methods.core import LATER, LOW_RANK, Card, Chain, Choice, Form, LogUniform, Method, SearchSpace, Work, at
from methods.lora import LoraOptions

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


class DoraOptions(LoraOptions):
    """Options of ``dora``: those of ``lora``, which starts at the base here."""

    init: Literal["kaiming", "gaussian"] = Field(
        "kaiming",
        description="how A starts, with B at zero",
        json_schema_extra=LATER,
    )


def work(geometry: Geometry, options: DoraOptions) -> Work:
    """2r (in + out) per token beside every targeted matrix, and 2r in out once for B A.

    Without gradients the first is saved: one multiplies by W' itself.
    """
    r, linears = options.rank, geometry.within(options.layers).linears

    def beside(rows: int, columns: int) -> tuple[Chain, ...]:
        return Chain(((r, columns), (rows, r))), Chain(((columns, r),), trained=False, rows=rows)

    return Work(
        beside={role: [beside(*shape) for shape in linears[role]] for role in options.target},
        layers=options.layers,
    )


def form() -> Form:
    """How its checkpoints look in peft."""
    from methods.peft.layers import low_rank_form

    return low_rank_form(DoraOptions, dora=True)


class DoRA(Method[DoraOptions]):
    """Low-rank updates of directions, and trained lengths."""

    name = "dora"
    options = DoraOptions
    mergeable = True
    served = LOW_RANK
    card = Card(
        summary="LoRA on the direction of each weight row, with its length trained apart; merges away.",
        source="arXiv 2402.09353; huggingface/peft@5d602fd",
        places=at("low-rank update and length", "query", "value"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"rank": Choice((4, 8, 16))}),
        work=work,
        peft=form,
    )

    def inject(self, anatomy: Anatomy, options: DoraOptions) -> Injection:
        """Put a direction and a length beside every targeted layer."""
        from methods.core import Injection, Wrap, by_module, part_path
        from methods.modules.dora import Direction, DoRALinear

        injection = Injection(options)
        for site, roles in by_module(anatomy.within(options.layers), options.target):
            base = site.linear()
            parts = {
                role: Direction(
                    base,
                    part.shape(),
                    part.rows,
                    rank=options.rank,
                    scaling=options.scaling,
                    dropout=options.dropout,
                    init=options.init,
                )
                for role, part in roles.items()
            }
            injection.changes.append(Wrap(site, DoRALinear(base, parts)))
            for role, part in parts.items():
                path = part_path(roles[role], role)
                injection.trained |= {f"{path}.{n}": p for n, p in part.named_parameters()}
                injection.rates[f"{path}.lora_B"] = options.b_rate
        return injection

    def count(self, geometry: Geometry, options: DoraOptions) -> dict[str, int]:
        """r (in + out) for the factors and out for the lengths of every targeted matrix."""
        linears = geometry.within(options.layers).linears
        shapes = [shape for role in options.target for shape in linears[role]]
        return {
            "updates": sum(options.rank * (rows + columns) for rows, columns in shapes),
            "magnitudes": sum(rows for rows, _ in shapes),
        }
