"""BitFit: only the biases train.

Paper: arXiv 2106.10199; code: benzakenelad/BitFit at 7ead19a.

    h = W0 x + b        y = w0 * (x - mean(x)) / std(x) + b        b trains, W0 and w0 are frozen

Every bias of the encoder (query, key,
value, attention output, both feed-forward layers, LayerNorms, the embeddings' LayerNorm included), and
beside the classifier the bias of the pooler. The pooler's bias is counted with the head: the paper's own
count is the encoder's biases. Learning rate: theirs is 1e-3 on runs of 16 epochs; 5e-3 is for the shorter
runs here. Searched: 1e-4 to 9e-2, from the paper's lowest to what a pilot of short runs found best
(docs/protocol.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from methods.anatomy import Geometry
from methods.core import (
    WEIGHTS,
    BlockOptions,
    Card,
    LogUniform,
    Method,
    SearchSpace,
    Served,
    Work,
    at,
)
from methods.errors import AnatomyError

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


def work(geometry: Geometry, options: BlockOptions) -> Work:
    """No product of its own; every bias trains."""
    return Work(vectors=frozenset({"bias"}), layers=options.layers)


class BitFit(Method[BlockOptions]):
    """Train every bias."""

    name = "bitfit"
    options = BlockOptions
    served = Served()
    card = Card(
        summary="Only biases train, the weights stay frozen.",
        source="arXiv 2106.10199; benzakenelad/BitFit@7ead19a",
        places=at("bias trains", *WEIGHTS),
        learning_rate=5e-3,
        search_space=SearchSpace(LogUniform(1e-4, 9e-2)),
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: BlockOptions) -> Injection:
        """Own the body's biases.

        Raises:
            AnatomyError: the model has no biases (the LLaMA family).
        """
        from methods.core import Injection, TaskHead

        trained = anatomy.trainable(anatomy.within(options.layers).bias_parameters())
        if not trained:
            raise AnatomyError(f"{anatomy} has no biases, bitfit has nothing to train.")
        extra = {f"body.{name}": bias for name, bias in anatomy.pooler_biases().items()}
        return Injection(options, trained, head=TaskHead(extra=extra))

    def count(self, geometry: Geometry, options: BlockOptions) -> dict[str, int]:
        """All biases: L(4d + f + d + 2d) + d on a BERT-type encoder."""
        return {"biases": geometry.within(options.layers).biases}

    def count_head(self, geometry: Geometry, options: BlockOptions) -> int:
        """The head, and the bias of the pooler."""
        return geometry.head + geometry.pooler_biases
