"""Norms alone: the weight and the bias of every normalisation layer train.

Paper: arXiv 2312.11420 (LayerNorm tuning, of which this is the form that trains nothing else); code:
huggingface/peft@5d602fd, tuners/ln_tuning. Older: a baseline of arXiv 1902.00751 on BERT, and on batch
normalisation arXiv 2003.00152.

    y = w * (x - mean(x)) / std(x) + b          of an RMSNorm: y = w * x / rms(x)

w and b train, from what they are: the function is unchanged at step 0. All norms of the body are meant: the
two or three of a block, those of queries and keys (Qwen3), the embeddings' and the last one. A norm inside
the task head trains with the head. Nothing is added, so there is nothing to merge. On a half-precision base
they train in its dtype, as all does that is the base's own: in bfloat16 an Adam step of less than 2e-3 moves
no weight near 1.

Learning rate: 5e-3 as for bitfit, whose trained entries are of the same kind and number, is from our own
measurement (80 steps of 16 sentences of rotten_tomatoes, one seed: accuracy 0.62, 0.73, 0.75 and 0.49 on the
selection split at 1e-3, 5e-3, 1e-2 and 3e-2). Searched: 3e-4 to 3e-2, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from methods.anatomy import Geometry
from methods.core import BlockOptions, Card, Form, LogUniform, Method, SearchSpace, Served, Work, at
from methods.errors import AnatomyError

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


def work(geometry: Geometry, options: BlockOptions) -> Work:
    """No product of its own; every normalisation layer trains."""
    return Work(vectors=frozenset({"norm"}), layers=options.layers)


def form() -> Form:
    """How its checkpoints look in peft."""
    from methods.peft.norms import norm_form

    return norm_form(BlockOptions)


class LN(Method[BlockOptions]):
    """Train every normalisation layer."""

    name = "ln"
    options = BlockOptions
    served = Served()
    card = Card(
        summary="Only the normalisation layers train, LayerNorm or RMSNorm.",
        source="arXiv 2312.11420; huggingface/peft@5d602fd",
        places=at("trains", "attention_norm", "feed_forward_norm"),
        learning_rate=5e-3,
        search_space=SearchSpace(LogUniform(3e-4, 3e-2)),
        work=work,
        peft=form,
    )

    def inject(self, anatomy: Anatomy, options: BlockOptions) -> Injection:
        """Own the body's normalisation layers.

        Raises:
            AnatomyError: the model has none with parameters.
        """
        from methods.core import Injection

        trained = anatomy.trainable(anatomy.within(options.layers).norm_parameters())
        if not trained:
            raise AnatomyError(
                f"{anatomy} has no normalisation layers with parameters, ln has nothing to train."
            )
        return Injection(options, trained)

    def count(self, geometry: Geometry, options: BlockOptions) -> dict[str, int]:
        """All normalisation layers: (2L + 1) 2d on a BERT-type encoder or GPT-2."""
        return {"norms": geometry.within(options.layers).norms}
