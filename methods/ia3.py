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

from typing import TYPE_CHECKING

from methods.anatomy import Geometry
from methods.core import BlockOptions, Card, Form, LogUniform, Method, SearchSpace, Served, Work, at

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection

OUTPUTS = ("key", "value")
"""Roles whose output is scaled; of the other, ``down``, the input is."""


def work(geometry: Geometry, options: BlockOptions) -> Work:
    """No product of its own; scales train on keys, values and the inner activation."""
    return Work(vectors=frozenset({*OUTPUTS, "inner"}), layers=options.layers)


def form() -> Form:
    """How its checkpoints look in peft."""
    from methods.peft.layers import ia3_form

    return ia3_form(BlockOptions, OUTPUTS)


class IA3(Method[BlockOptions]):
    """Trained scales of keys, values and inner feed-forward activations."""

    name = "ia3"
    options = BlockOptions
    mergeable = True
    served = Served()
    card = Card(
        summary="Trained vectors scale keys, values and the inner feed-forward activation; merges away.",
        source="arXiv 2205.05638; r-three/t-few@114dece",
        places=at("scale", "key", "value", "down_input"),
        learning_rate=1e-2,
        search_space=SearchSpace(LogUniform(1e-3, 1e-1)),
        work=work,
        peft=form,
    )

    def inject(self, anatomy: Anatomy, options: BlockOptions) -> Injection:
        """Scale the outputs of the key and value projections and the input of the last feed-forward layer."""
        from methods.core import Injection, Wrap, by_module
        from methods.modules.ia3 import IA3Linear

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
