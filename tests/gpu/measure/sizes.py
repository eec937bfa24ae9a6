"""How large everything is: on a card as people have it, in a dry run as small as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import methods
from runners.numerics import Numerics

WIDE = {"hidden_size": 256, "intermediate_size": 512, "initializer_range": 0.1}
"""Matrices that a card's own kernels take, where the tests' are 32 wide."""
DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")
HALF = Numerics(precision="bfloat16", base_dtype="bfloat16")
LEAN = Numerics(precision="bfloat16", gradient_checkpointing=True)


@dataclass(frozen=True)
class Shape:
    """What memory is measured on: see :class:`runners.measure.footprint.Setting`."""

    label: str
    model: str
    batch_size: int
    sequence_length: int
    objective: str = "classification"
    stored: Numerics = field(default_factory=Numerics)
    micro_batch: int | None = None
    changes: tuple[str, ...] = ()
    """What of the configuration is zero."""


@dataclass(frozen=True)
class Served:
    """What is timed at batch 1: see :class:`runners.measure.comparison.Comparison`."""

    model: str
    dtype: str
    length: int
    decode_tokens: int | None = None


@dataclass(frozen=True)
class Sizes:
    """What is measured; by default on a card."""

    methods: tuple[str, ...] = methods.names()
    bases: Mapping[tuple[str, str], Mapping[str, Any]] = field(
        default_factory=lambda: {
            ("bert", "classify"): WIDE,
            ("llama", "causal"): WIDE | {"head_dim": 64},
            ("gpt2", "causal"): WIDE | {"n_inner": 512},
        }
    )
    """Of the invariants: architecture and head, with changes of the tests' tiny configurations."""
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    attentions: tuple[str, ...] = ("sdpa", "eager")
    compiled: tuple[tuple[str, str, str], ...] = (
        ("bert", "classify", "bfloat16"),
        ("gpt2", "causal", "bfloat16"),
        ("bert", "classify", "float32"),
    )
    """Of the bases: architecture, head and dtype."""
    backend: str = "inductor"
    """Of ``torch.compile``."""
    shapes: tuple[Shape, ...] = (
        Shape("bert-base", "bert-base", 16, 128),
        Shape("gpt2, base in bfloat16", "gpt2", 4, 512, "language-modeling", HALF),
        Shape("bert-base without dropout", "bert-base", 16, 128, changes=DROPOUT),
        Shape("gpt2, checkpointing, micro batches", "gpt2", 4, 512, "language-modeling", LEAN, 2),
    )
    trained: str = "embedded"
    """The model of the trials."""
    trained_methods: tuple[str, ...] = ("lora", "full")
    protocol: Mapping[str, Any] = field(default_factory=lambda: {"steps": 240, "batch_size": 32})
    costs: Mapping[str, Any] = field(default_factory=lambda: {"latency_rounds": 100})
    served: tuple[Served, ...] = (
        Served("bert-base", "float32", 128),
        Served("gpt2", "bfloat16", 128, 16),
    )
    served_methods: tuple[str, ...] = ("lora", "houlsby", "pfeiffer")
    latency_seconds: float = 12.0
    """Of each comparison."""

    table1: Mapping[str, Any] = field(default_factory=lambda: {"seconds": 12, "width": 0.02})
    """What of the study of table 1 is other than written there."""
    serving: Mapping[str, Any] = field(
        default_factory=lambda: {
            "methods": ["lora", "houlsby", "prefix", "prompt"],
            "batch": [1, 32],
            "seconds": 2,
            "arrivals": {"requests": 5000, "seconds": 2},
        }
    )
    """What of the study of serving is other than written there."""
    board_methods: tuple[str, ...] = (
        *("full", "lora", "houlsby", "pfeiffer", "lin", "bitfit", "head", "prefix", "prompt"),
    )
    board_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    def only(self, names: tuple[str, ...]) -> Sizes:
        """The same with so few methods."""
        keep = {
            part: tuple(name for name in getattr(self, part) if name in names)
            for part in ("methods", "trained_methods", "served_methods", "board_methods")
        }
        return Sizes(**{**vars(self), **keep})


def dry(model: str) -> Sizes:
    """The smallest, on a folder with a small model."""
    return Sizes(
        bases={("bert", "classify"): {}, ("llama", "causal"): {}},
        compiled=(("bert", "classify", "float32"),),
        backend="aot_eager",
        shapes=(Shape("small", model, 2, 16), Shape("small, base in bfloat16", model, 2, 16, stored=HALF)),
        trained=model,
        trained_methods=("lora",),
        protocol={
            "steps": 4,
            "batch_size": 8,
            "evaluate_every": 2,
            "max_length": 16,
            "train_examples": 64,
            "scored_examples": 32,
        },
        costs={"latency_rounds": 10, "latency_length": 8},
        served=(Served(model, "float32", 8),),
        latency_seconds=0.1,
        table1={
            "model": model,
            "methods": [{"lora": {"rank": 4}}],
            "cells": [{"batch": 1, "length": 8}],
            "seconds": 0.1,
        },
        serving={
            **{"model": model, "methods": ["lora"], "tasks": [1, 3], "batch": [2], "length": [8]},
            **{"seconds": 0.1, "arrivals": {"tasks": [], "requests": 100, "seconds": 0.1}},
        },
        board_methods=("lora",),
        board_seeds=(0,),
    )
