"""Closed forms from sizes alone, against counts that papers print (arXiv 2106.09685, tables 2 to 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2ForSequenceClassification

import methods
from methods.anatomy import Anatomy, Geometry, geometry_of

# (architecture, L, d, method, options, scalars). The paper's Houlsby rows leave the LayerNorms out.
PUBLISHED: list[tuple[str, int, int, str, dict[str, Any], int]] = [
    ("roberta-base", 12, 768, "lora", {"rank": 8}, 294_912),
    ("roberta-large", 24, 1024, "lora", {"rank": 8}, 786_432),
    ("deberta-v2-xxlarge", 48, 1536, "lora", {"rank": 16}, 4_718_592),
    ("gpt3-175b", 96, 12288, "lora", {"rank": 1}, 4_718_592),
    ("gpt3-175b", 96, 12288, "lora", {"rank": 8}, 37_748_736),
    ("gpt2-medium", 24, 1024, "lin", {"bottleneck": 6}, 368_784),
    ("gpt2-medium", 24, 1024, "lin", {"bottleneck": 224}, 11_089_152),
    ("gpt2-large", 36, 1280, "lin", {"bottleneck": 8}, 875_808),
    ("gpt2-large", 36, 1280, "lin", {"bottleneck": 248}, 23_002_848),
    ("gpt3-175b", 96, 12288, "houlsby", {"bottleneck": 1, "layer_norms": False}, 7_078_080),
    ("gpt3-175b", 96, 12288, "houlsby", {"bottleneck": 8, "layer_norms": False}, 40_109_568),
    ("gpt3-175b", 96, 12288, "prompt", {"length": 264}, 3_244_032),
    ("gpt2-medium", 24, 1024, "top_layers", {"layers": 2}, 25_192_448),
    ("gpt2-medium", 24, 1024, "houlsby", {"bottleneck": 64}, 6_444_032),
    ("gpt2-medium", 24, 1024, "pfeiffer", {"bottleneck": 64}, 3_171_840),
    ("gpt2-medium", 24, 1024, "prefix", {"length": 5, "hidden": None}, 245_760),
    ("gpt2-medium", 24, 1024, "prefix", {"length": 30, "hidden": 512}, 25_770_496),
    ("gpt2-medium", 24, 1024, "ia3", {}, 147_456),
    ("gpt2-medium", 24, 1024, "bitfit", {}, 271_360),
]


@pytest.mark.parametrize(("model", "layers", "width", "name", "options", "expected"), PUBLISHED)
def test_published_counts_from_sizes_alone(
    model: str, layers: int, width: int, name: str, options: dict[str, Any], expected: int
) -> None:
    method = methods.get(name)
    count = method.count(Geometry.gpt(layers, width), method.options.parse(name, options))
    assert sum(count.values()) == expected, model


@pytest.mark.parametrize("name", methods.names())
def test_the_written_down_geometry_is_that_of_the_model(name: str) -> None:
    config = GPT2Config(n_layer=3, n_embd=16, n_head=2, vocab_size=70, n_positions=64)
    with torch.device("meta"):
        anatomy = Anatomy(GPT2ForSequenceClassification(config))
    head = 2 * 16
    assert replace(Geometry.gpt(3, 16, vocabulary=70, positions=64), head=head) == geometry_of(anatomy)
    method = methods.get(name)
    options = method.options.parse(name, {})
    counted = methods.apply(anatomy.model, name).parameter_counts()["method"]
    assert counted == sum(method.count(Geometry.gpt(3, 16, 70, 64), options).values())
