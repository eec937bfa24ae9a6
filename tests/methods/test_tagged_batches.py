"""A head on every token answers the same on a padded batch and on its rows, whatever a method adds to them.

It is what scores of labelled words stand on: a prompt's positions and padding have no answers, and no answer
hangs on what else is in its batch.
"""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForTokenClassification

from .cells import CELLS, apply, perturb
from .conftest import ARCHITECTURES, configuration, logits, text, tiny

LENGTHS = (9, 4, 6)
EXACT = 1e-10
ROUNDED = {"mpt": 1e-5}
"""Whose softmax is in float32, whatever the model is in."""
TAGGED = tuple(
    name
    for name in ARCHITECTURES
    if type(configuration(name)) in AutoModelForTokenClassification._model_mapping
)
"""Those that transformers has such a head for."""
KINDS = ("bert", "roberta", "deberta-v3", "modernbert", "gpt2", "qwen3", "t5")
OF_ALL = ("lora", "prompt", "prefix")
"""Methods that are tried on every architecture; all are on one of each kind."""
TRIED = [(n, a) for n, a, h in CELLS if h == "classify" and a in TAGGED and (a in KINDS or n in OF_ALL)]


def test_most_architectures_have_such_a_head() -> None:
    without = set(ARCHITECTURES) - set(TAGGED)
    assert without == {"opt", "opt-350m", "dinov2", "bart", "mbart", "whisper"}


@pytest.mark.parametrize(("name", "architecture"), TRIED)
def test_a_padded_batch_is_labelled_as_its_rows_are(name: str, architecture: str) -> None:
    model = tiny(architecture, "tag", dtype=torch.float64)
    adapted = apply(model, name)
    perturb(adapted)
    batch = text(model, LENGTHS)
    together, exact = logits(model, batch), {"rtol": 0, "atol": ROUNDED.get(architecture, EXACT)}
    assert together.shape == (len(LENGTHS), max(LENGTHS), 3)
    for row, length in enumerate(LENGTHS):
        alone = logits(model, {key: value[row : row + 1, :length] for key, value in batch.items()})
        torch.testing.assert_close(together[row, :length], alone[0], **exact)
    # Each token has an answer of its own.
    assert len(torch.unique(together[0].argmax(dim=-1))) > 1 or together[0].std(dim=0).min() > 1e-3
    if adapted.method.mergeable:
        adapted.merge()
        real = batch["attention_mask"].bool()
        torch.testing.assert_close(logits(model, batch)[real], together[real], **exact)
