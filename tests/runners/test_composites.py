"""Models of several parts, of which a task of text takes one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from typer.testing import CliRunner

import methods
import tasks
from runners import models
from runners.cli.app import app
from runners.trials import batches
from tests.methods.conftest import GROUPED, SIZES
from tests.runners.folders import word_tokenizer

TEXT = {key: value for key, value in SIZES.items() if key != "num_labels"} | GROUPED
PARTS: dict[str, dict[str, Any]] = {
    "gemma3": {
        "text_config": TEXT,
        "vision_config": {
            **{"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
            **{"image_size": 28, "patch_size": 14},
        },
        "mm_tokens_per_image": 4,
    },
    "qwen3_5": {
        "text_config": {
            **TEXT,
            "layer_types": ["full_attention", "full_attention"],
            **{"linear_num_key_heads": 2, "linear_num_value_heads": 2},
            **{"linear_key_head_dim": 8, "linear_value_head_dim": 8},
        },
        "vision_config": {
            **{"depth": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16},
            **{"out_hidden_size": 32, "patch_size": 14},
        },
    },
}


def folder(path: Path, kind: str) -> tuple[str, Any]:
    """A random model of text and images in a folder, and itself."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **PARTS[kind])).eval()
    model.save_pretrained(path)
    word_tokenizer(eos_token="t2", padding_side="left").save_pretrained(path)
    return str(path), model


@pytest.mark.parametrize("kind", PARTS)
def test_the_text_part_is_taken_with_its_weights(kind: str, tmp_path: Path) -> None:
    name, whole = folder(tmp_path, kind)
    model = models.classifier(name, tasks.get("mnli"))
    assert model.config.model_type == f"{kind}_text"
    collate = batches.Collator(models.tokenizer(name))
    rows = [{"input_ids": list(range(4, 4 + n)), "attention_mask": [1] * n, "labels": 0} for n in (9, 3)]
    batch = collate(rows)
    batch.pop("labels")
    with torch.no_grad():
        theirs = whole.base_model(**batch).last_hidden_state[0]
        ours = model.base_model(**batch).last_hidden_state[0]
        together = model(**batch).logits
        alone = [model(**{k: v for k, v in collate([row]).items() if k != "labels"}).logits for row in rows]
    assert torch.allclose(ours[-1], theirs[-1], atol=1e-5)
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("gemma3", "count MODEL lora"),
        ("gemma3", "memory MODEL --batch 2 --length 8 --method lora --predict"),
        ("qwen3_5", "count MODEL lora"),
        ("qwen3_5", "flops MODEL --batch 2 --length 8 --method lora"),
    ],
)
def test_commands_work_on_it(kind: str, command: str, tmp_path: Path) -> None:
    name, _ = folder(tmp_path, kind)
    found = CliRunner().invoke(app, [*command.replace("MODEL", name).split(), "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)


def test_the_longest_input_of_a_whole_one_is_its_text_part_s(tmp_path: Path) -> None:
    _, whole = folder(tmp_path, "gemma3")
    assert methods.apply(whole, "full").max_input_length == 64
