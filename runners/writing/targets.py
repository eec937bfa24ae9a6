"""The loss of a causal model on the tokens of targets, with logits for these alone.

What a model computes for the tokens of prompts is read by those behind them; their own logits are trained on
by nobody. Where the vocabulary is large and the model small, logits and their softmax are a good part of a
step (with 49,152 words and 135 million weights a fifth of the products), and most tokens are prompts'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from runners.optimisation import IGNORED


@dataclass(frozen=True)
class Trained:
    """What a step asks of a model."""

    loss: Tensor


class OnTargets(nn.Module):
    """A causal model that is called with a batch, and gives the mean loss of its targets' tokens.

    The output layer is handed the states in front of these tokens and no others, so that whatever the model
    does with its logits (scaling, capping) is done.

    Args:
        model: with a head that gives every token its logits.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.train(model.training)

    def forward(self, labels: Tensor, **batch: Tensor) -> Trained:
        """The loss of a batch as :func:`runners.writing.batches.training` makes them (rows x length)."""
        following = F.pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()  # the label of each place
        places = (following != IGNORED).nonzero().squeeze(1)
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
        return Trained(F.cross_entropy(exact, following.index_select(0, places)))
