"""Prefix tuning: trained keys and values in front of those of every self-attention.

Paper: arXiv 2101.00190, section 4; code: XiangLi1999/PrefixTuning@6519d30, gpt2/train_control.py.

    K <- [P_k; K]        V <- [P_v; V]

Every query sees the n extra vectors, which have no query and no position of their own. While training,
P = MLP(E): an embedding E (n x d), a linear layer d -> k, tanh, a linear layer k -> 2 L d, one for all
blocks, with the libraries' default initialisation, so that P is random and the function changes at step
0. An encoder-decoder has three prefixes, each with an MLP of its own: for the encoder's attention, the
decoder's, and the decoder's cross-attention. A checkpoint keeps P alone: what is loaded is the direct form
(``hidden=None``), which starts from N(0, 1) when it is trained from scratch; the paper found that less
stable.

The prefix is added inside transformers' attention function (``AttentionInterface``), which reaches
encoders and decoders alike and leaves the key/value cache to the tokens. The attention mask that the model
builds covers the tokens; here it gains n open columns, and stays causal behind them.

Positions: the original enters P as past keys and values of GPT-2, so that the tokens are numbered from n.
That shift is made here on decoders that stand alone and take positions, also where ``layers`` puts a prefix
into some blocks only. Encoders keep their numbering, and so do encoder-decoders, whose numbering cannot be
passed. Where layers share weights (ALBERT) they share
the prefix. Learning rate: the paper's 5e-5 is for GPT-2 over tens of thousands of steps; 1e-3 is for the
short runs here. Searched: a decade to either side of that rate, and lengths of 5 to 50 (the paper: 5 to 200).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from methods.anatomy import Geometry
from methods.core import (
    Card,
    Chain,
    Choice,
    Form,
    Layers,
    LogUniform,
    Method,
    Options,
    SearchSpace,
    Served,
    Work,
    at,
)

if TYPE_CHECKING:
    from torch import Tensor

    from methods.anatomy import Anatomy
    from methods.core import Injection


class PrefixOptions(Options):
    """Options of ``prefix``."""

    length: int = Field(10, ge=1, description="number n of extra keys and values per block")
    hidden: int | None = Field(
        512, ge=1, description="hidden size k of the MLP that makes the prefix while training; none = direct"
    )
    layers: Layers = None


def work(geometry: Geometry, options: PrefixOptions) -> Work:
    """4nd per token for n more keys in an attention; 2n (dk + 2kLd) once for each MLP that trains."""
    if options.hidden is None:
        return Work(keys=options.length, layers=options.layers)
    k, geometry = options.hidden, geometry.within(options.layers)
    mlps = tuple(
        Chain(
            ((k, geometry.hidden), (2 * number * geometry.key_value, k)),
            rows=options.length,
            reads_trained=True,
        )
        for _, number in geometry.attention_sets
    )
    return Work(beside={"start": [mlps]}, keys=options.length, layers=options.layers)


def form() -> Form:
    """How its checkpoints look in peft."""
    from methods.peft.tokens import prefix_form

    return prefix_form(PrefixOptions)


class Prefix(Method[PrefixOptions]):
    """Trained keys and values in every self-attention."""

    name = "prefix"
    options = PrefixOptions
    served = Served("length", {"keys": 1, "values": 1})
    card = Card(
        summary="Trained keys and values in front of every self-attention's own.",
        source="arXiv 2101.00190; XiangLi1999/PrefixTuning@6519d30",
        places=at("prefix", "keys_values"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"length": Choice((5, 10, 20, 50))}),
        starts_at_base=False,
        work=work,
        peft=form,
    )

    def inject(self, anatomy: Anatomy, options: PrefixOptions) -> Injection:
        """Add a prefix to every self-attention and switch the attention function.

        Raises:
            MethodError: the model uses an attention implementation other than sdpa or eager.
        """
        from methods.modules import prefix

        return prefix.inject(
            anatomy, options, length=options.length, hidden=options.hidden, layers=options.layers
        )

    def count(self, geometry: Geometry, options: PrefixOptions) -> dict[str, int]:
        """2Ldn in the direct form, with one L for each set; n d + (d k + k) + (k 2Ld + 2Ld) for an MLP."""
        geometry = geometry.within(options.layers)
        if options.hidden is None:
            return {"prefix": 2 * geometry.attentions * geometry.key_value * options.length}
        d, k, sets = geometry.hidden, options.hidden, geometry.attention_sets
        outs = [2 * number * geometry.key_value for _, number in sets]
        return {
            "embedding": len(sets) * options.length * d,
            "mlp": sum((d * k + k) + (k * out + out) for out in outs),
        }

    def count_stored(self, geometry: Geometry, options: PrefixOptions) -> int:
        """Those of the direct form."""
        return sum(self.count(geometry, options.model_copy(update={"hidden": None})).values())

    def stored(self, injection: Injection) -> tuple[Options, dict[str, Tensor]]:
        """P itself: the MLP is thrown away."""
        from methods.modules import prefix

        return injection.options.model_copy(update={"hidden": None}), prefix.stored(injection)
