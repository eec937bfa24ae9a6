"""The loss of a causal model on the tokens of targets, with no more computed than that takes.

What a model computes for the tokens of prompts is read by those behind them; their own logits are trained on
by nobody. Where the vocabulary is large and the model small, logits and their softmax are a good part of a
step (with 49,152 words and 135 million weights a fifth of the products), and most tokens are prompts'.

Padding stands behind what is read, where causal attention never looks: no mask is handed to the model, and
its attention needs none but the causal one. On cores rows of different length are computed in parts
(:mod:`runners.writing.parts`); an accelerator has too little to do with few rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runners import device
from runners.optimisation import IGNORED
from runners.writing.batches import Batch
from runners.writing.parts import Part, parted


@dataclass(frozen=True)
class Trained:
    """What a step asks of a model."""

    loss: Tensor


class OnTargets(nn.Module):
    """A causal model that is called with a batch, and gives the mean loss of its targets' tokens.

    The output layer is handed the states in front of these tokens and no others, so that whatever the model
    does with its logits (scaling, capping) is done.

    Args:
        model: with a head that gives every token its logits; each token reads those in front of it alone.
        cost: of a part of a batch beside its tokens, in tokens, see :mod:`runners.writing.parts`; None where
            every batch is computed as it is.
    """

    def __init__(self, model: Any, cost: float | None = None) -> None:
        super().__init__()
        self.model, self.cost = model, cost
        self.train(model.training)

    def positions(self, batch: Batch) -> int:
        """Tokens of a batch that are computed, padding included."""
        return sum(part.positions for part in self._parts(batch))

    def forward(self, labels: Tensor, **batch: Tensor) -> Trained:
        """The loss of a batch as :func:`runners.writing.batches.training` makes them (rows x length).

        Raises:
            ValueError: a row has padding in front.
        """
        following = F.pad(labels[:, 1:], (0, 1), value=IGNORED)  # the label of each place
        parts = self._parts(batch)
        batch.pop("attention_mask", None)
        if len(parts) == 1:
            return Trained(self._nats(following, batch) / (following != IGNORED).sum())
        nats = []
        for part in parts:
            rows, inside = list(part.rows), slice(part.width)
            own = {name: values[rows, inside] for name, values in batch.items()}
            nats.append(self._nats(following[rows, inside], own))
        return Trained(torch.stack(nats).sum() / (following != IGNORED).sum())

    def _parts(self, batch: Batch) -> list[Part]:
        ids, mask = batch["input_ids"], batch.get("attention_mask")
        if self.cost is None or mask is None or not device.likes_parts(ids.device):
            return [Part(tuple(range(len(ids))), ids.shape[1])]
        if not mask[:, 0].all():
            raise ValueError("a row has padding in front, expected it behind what is read")
        return parted(mask.sum(1).tolist(), self.cost)

    def _nats(self, following: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The loss of all targets of some rows together."""
        wanted = following.flatten()
        places = (wanted != IGNORED).nonzero().squeeze(1)
        chosen = False

        def choose(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            """The states (1 x targets x width) of all (rows x length x width)."""
            nonlocal chosen
            chosen = True
            states, *more = given
            return states.flatten(0, 1).index_select(0, places)[None], *more

        head = self.model.get_output_embeddings()
        hook = None if head is None else head.register_forward_pre_hook(choose)
        try:
            logits = self.model(**batch).logits.flatten(0, 1)
        finally:
            if hook is not None:
                hook.remove()
        if not chosen:  # the model has its output layer elsewhere
            logits = logits.index_select(0, places)
        exact = logits if logits.dtype.itemsize >= 4 else logits.float()
        return F.cross_entropy(exact, wanted.index_select(0, places), reduction="sum")
