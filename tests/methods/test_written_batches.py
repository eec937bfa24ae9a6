"""generate() writes the same on a padded batch and on its rows, greedily and by beams, merged or not.

It is what scores of written text stand on: an answer must not hang on what else is in its batch. Compared are
the text up to its end and the scores of its first token; what fills a row behind its end is transformers'
affair (``findings/beams_fill_up_with_another_token.sh``).
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from .cells import LANGUAGE_MODELS, OF_THE_BASE, apply, perturb
from .conftest import text, tiny

LENGTHS = (7, 3)
FAMILIES = ("gpt2", "llama", "t5", "bart")
CELLS = [cell for cell in LANGUAGE_MODELS.args[1] if cell[1] in FAMILIES and cell[0] not in OF_THE_BASE[1:]]


def written(model: Any, beams: int, **batch: Tensor) -> tuple[list[list[int]], Tensor]:
    """What is written on each row, up to its end, and the logits of the first token of each."""
    settings: dict[str, Any] = {"max_new_tokens": 4, "num_beams": beams, "do_sample": False}
    made = model.generate(**batch, **settings, return_dict_in_generate=True, output_logits=True)
    start = 1 if model.config.is_encoder_decoder else batch["input_ids"].shape[1]
    rows, end = made.sequences[:, start:].tolist(), model.config.eos_token_id
    return [row[: row.index(end)] if end in row else row for row in rows], made.logits[0][::beams]


@pytest.mark.parametrize(("name", "architecture", "head"), CELLS)
def test_a_padded_batch_writes_what_its_rows_write(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head, dtype=torch.float64)
    adapted = apply(model, name)
    perturb(adapted)
    batch = text(model, LENGTHS, left=head == "causal")
    batch.pop("position_ids", None)  # generate() makes them
    short = (
        batch["input_ids"][1:, -LENGTHS[1] :] if head == "causal" else batch["input_ids"][1:, : LENGTHS[1]]
    )
    together = {}
    for beams in (1, 3):
        texts, first = together[beams] = written(model, beams, **batch)
        assert written(model, beams, input_ids=batch["input_ids"][:1])[0] == texts[:1]
        alone, first_alone = written(model, beams, input_ids=short)
        assert torch.allclose(first[1:], first_alone, atol=1e-9)
        assert alone == texts[1:]
    if adapted.method.mergeable:
        adapted.merge()
        for beams, (texts, first) in together.items():
            merged, first_merged = written(model, beams, **batch)
            assert torch.allclose(first_merged, first, atol=1e-9)
            assert merged == texts
