"""The embedded model under a head whose dense layer trains with every method: what `pilot.py pooler` asks.

BERT's head reads the first token through the pooler, which belongs to the body: methods that add little leave
it as it is. RoBERTa's blocks compute as BERT's do, its body has no pooler, and its head begins with a dense
layer of the same size and activation. Its positions are counted from behind the padding's number, so that one
row goes in front.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer, BertModel, RobertaConfig, RobertaModel

from runners import models


def build(folder: Path) -> str:
    """Write the model into a folder, if it is not there, and give its name.

    Raises:
        AssertionError: its hidden states are not those of the embedded model, bit by bit.
    """
    if (folder / "config.json").is_file():
        return str(folder)
    source = models.location("embedded")
    bert = BertModel.from_pretrained(source, add_pooling_layer=False).eval()
    settings = bert.config.to_dict()
    first = settings["pad_token_id"] + 1
    changed = {
        "architectures": ["RobertaModel"],
        "max_position_embeddings": settings["max_position_embeddings"] + first,
    }
    dropped = ("model_type", "transformers_version", "position_embedding_type")
    kept = {name: value for name, value in settings.items() if name not in dropped}
    roberta = RobertaModel(RobertaConfig(**kept | changed), add_pooling_layer=False).eval()
    weights = bert.state_dict()
    positions = "embeddings.position_embeddings.weight"
    weights[positions] = torch.cat(
        [weights[positions].new_zeros(first, weights[positions].shape[1]), weights[positions]]
    )
    roberta.load_state_dict(weights)
    tokenizer = AutoTokenizer.from_pretrained(source)
    batch = tokenizer([["a film", "the same film, again"], ["a", "b"]], padding=True, return_tensors="pt")
    assert batch["token_type_ids"].any()
    with torch.no_grad():
        ours, theirs = roberta(**batch).last_hidden_state, bert(**batch).last_hidden_state
    read = batch["attention_mask"].bool()  # the padding's positions are another row, which nobody reads
    assert torch.equal(ours[read], theirs[read])
    tokenizer.save_pretrained(folder)
    roberta.save_pretrained(folder)
    return str(folder)
