"""Trials at other sizes: dtypes, few bits, parts of a batch, blocks computed again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

import methods
import tasks
from runners import models
from runners.plan.costs import CostSettings
from runners.plan.spec import TrialSpec
from runners.work import adapting
from runners.work.trial import run_trial

BRIEF = CostSettings(latency_rounds=10, latency_length=8)
HALF = {"precision": "bfloat16", "base_dtype": "bfloat16"}
QUICK: dict[str, Any] = {"steps": 3, "evaluate_every": 3, "batch_size": 8, "scored_examples": 16}


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of two narrow blocks, wide enough to be packed, with the embedded model's tokenizer."""
    folder = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = AutoTokenizer.from_pretrained(models.location("embedded"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = AutoConfig.for_model("llama", vocab_size=len(tokenizer), intermediate_size=128, **sizes)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def spec(model: str, data: str, method: str = "lora", costs: Any = None, **protocol: Any) -> TrialSpec:
    return TrialSpec(
        model=model, task="cola", method=method, data=data, protocol=QUICK | protocol, costs=costs
    )


@pytest.mark.parametrize("method", [name for name in methods.names() if name != "full"])
def test_every_method_trains_on_a_body_in_bfloat16(method: str, tiny_model: str, glue_folder: str) -> None:
    made = spec(tiny_model, glue_folder, method, **HALF)
    record = run_trial(made)
    assert record.status == "completed", record.message
    adapted = adapting.adapt(made, tasks.get("cola"))
    own = {id(p) for p in adapted.of_the_task().values()}
    assert {p.dtype for p in adapted.of_the_task().values()} == {torch.float32}
    frozen = [p for p in adapted.model.parameters() if id(p) not in own]
    assert all(p.dtype == torch.bfloat16 for p in frozen if p.ndim > 1)


@pytest.mark.parametrize(
    ("model", "protocol"),
    [
        ("tiny_model", {"precision": "bfloat16", "attention": "eager"}),
        ("tiny_model", {"precision": "float16", "micro_batch": 3}),
        ("decoder", {**HALF, "gradient_checkpointing": True}),
        ("decoder", {"quantization": "nf4", "precision": "bfloat16", "base_dtype": "bfloat16"}),
        ("decoder", {"quantization": "int8"}),
    ],
)
def test_a_whole_trial(
    model: str, protocol: dict[str, Any], glue_folder: str, request: pytest.FixtureRequest
) -> None:
    record = run_trial(spec(request.getfixturevalue(model), glue_folder, costs=BRIEF, **protocol))
    assert record.status == "completed", record.message
    assert record.gaps == {}
    assert {key: record.spec["protocol"][key] for key in protocol} == protocol
    assert record.training is not None
    assert (record.training.skipped_steps is not None) == (protocol.get("precision") == "float16")
    assert record.memory is not None
    assert record.parameters is not None
    assert record.memory.best_weights_bytes == 4 * record.parameters.trainable
