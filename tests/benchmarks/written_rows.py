"""What the benchmarks of models that write have in common: a causal model, and E2E's texts as its tokens."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import tasks
from runners import models
from runners.writing.tokens import Form, Prompted

SMOLLM2_135M = LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=8192,
    tie_word_embeddings=True,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=102,
)
"""Its sizes; a random model of them takes as long as the trained one, and never ends a text."""


def arguments(description: str) -> argparse.ArgumentParser:
    """What both are told."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--model", help="a folder; none = random weights of the sizes of SmolLM2-135M")
    options.add_argument("--data", type=Path, required=True, help="a folder of E2E, as for `paretune run`")
    options.add_argument("--pairs", type=int, default=3)
    return options


def model(folder: str | None) -> Any:
    """The model in float32."""
    if folder is not None:
        return models.language_model(folder)
    torch.manual_seed(0)
    return models.uncached(LlamaForCausalLM(SMOLLM2_135M).eval())


def form(folder: str | None, longest: int) -> Form:
    """How it is asked, as a trial of `e2e` asks."""
    tokenizer = models.tokenizer(folder or "embedded")
    if folder is None:  # MiniLM's, which ends a text by another name
        tokenizer.eos_token = tokenizer.sep_token
    return Form(tokenizer, tasks.get("e2e").written_as, False, 96, longest)


def rows(data: Path, how: Form, split: str, count: int) -> Prompted:
    """Rows of E2E as tokens, those for training with their targets, drawn at random."""
    found = getattr(tasks.load("e2e", str(data)), split)
    chosen = found.select(np.random.default_rng(0).permutation(len(found))[:count])
    return how.prompted([(text,) for text in chosen["text"]], chosen["target"] if split == "train" else None)
