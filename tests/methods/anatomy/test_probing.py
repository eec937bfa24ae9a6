"""What is tried out on a small copy, against what the layouts say and what models do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

import methods
from methods.anatomy import Anatomy, small
from methods.anatomy.discovery import discover
from methods.anatomy.layouts import LAYOUTS
from methods.anatomy.probing import Ends, ends_of, is_causal, numbering, reads_ids
from methods.anatomy.small import copy_of
from methods.errors import AnatomyError

from ..cells import equal, state
from ..conftest import ARCHITECTURES, configuration, tiny
from .test_anatomy import SEARCHED, unknown

ALONE = [a for a in ARCHITECTURES if a not in ("albert", "t5", "mt5", "bart", "mbart", "whisper")]


@pytest.mark.parametrize("architecture", ALONE)
def test_what_is_tried_out_is_what_the_layout_says(architecture: str) -> None:
    model = tiny(architecture).to("meta")  # no weights but the copy's
    (layout,) = Anatomy(model).layouts
    expected = (layout.attention_output, layout.feed_forward_output, layout.block_norm, layout.parallel)
    assert ends_of(model, layout.blocks, layout.attention.output, layout.down) == Ends(*expected)
    assert numbering(model) == layout.positions
    if layout.embedding is not None:
        assert is_causal(model) == layout.causal
        assert reads_ids(model, layout.root, layout.embedding) is None


@pytest.mark.parametrize("architecture", SEARCHED)
def test_a_model_without_weights_is_searched_alike(architecture: str) -> None:
    model = unknown(architecture)
    found = discover(model)
    assert not found.untold
    with torch.device("meta"):
        assert discover(model.to("meta")) == found


@pytest.mark.parametrize("kind", ["llama", "opt", "roberta", "gpt_oss", "mixtral", "gemma3n_text"])
def test_a_copy_of_a_large_model_is_small(kind: str) -> None:
    """From the defaults of its configuration, which are those of a published model."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind))
    copied = copy_of(model.base_model)
    assert copied is not None
    assert type(copied) is type(model.base_model)
    assert copied.num_parameters() < 500_000


def test_a_copy_leaves_the_generator_and_the_model_alone() -> None:
    model = tiny("llama")
    before, config = state(model), model.config.to_dict()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    small._copy.cache_clear()
    assert copy_of(model) is not None
    assert torch.equal(torch.rand(2), expected)
    assert equal(state(model), before)
    assert model.config.to_dict() == config


def test_the_model_itself_is_asked_first() -> None:
    model = unknown("olmo")
    assert is_causal(model)
    for module in model.modules():
        if hasattr(module, "is_causal"):
            module.is_causal = False
    assert not is_causal(model)


class StrangeConfig(transformers.LlamaConfig):
    """Of a model that nobody knows."""

    model_type = "strange"


class StrangeModel(transformers.LlamaModel):
    """One that asks for something beside tokens."""

    config_class = StrangeConfig

    def forward(
        self, input_ids: Tensor, something: Tensor, position_ids: Tensor | None = None, **kwargs: Any
    ) -> Any:
        """With something else."""
        return super().forward(input_ids=input_ids, position_ids=position_ids, **kwargs)


def strange() -> PreTrainedModel:
    settings = configuration("llama").to_diff_dict()
    settings.pop("model_type")
    return StrangeModel(StrangeConfig(**settings))


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_what_cannot_be_tried_out_is_refused_and_the_rest_is_not(device: str) -> None:
    model = strange().to(device)
    assert model.config.model_type not in LAYOUTS
    shape = str(model)
    for name, answer in {
        "pfeiffer": "not known where its blocks end",
        "houlsby": "has no attention_output",
        "prefix": "not known how it numbers tokens|not known whether a token sees",
        "prompt": "has no place for a prompt",
    }.items():
        with pytest.raises(AnatomyError, match=answer):
            methods.apply(model, name)
        assert str(model) == shape
    for name in ("lora", "ia3", "lin", "full", "top_layers"):
        adapted = methods.apply(model, name)
        assert adapted.parameter_counts()["method"]
        with pytest.raises(AnatomyError, match="cannot be tried out"):
            adapted.flops(1, 8)
        adapted.remove()


def test_a_copy_tells_what_reads_the_ids() -> None:
    class Reads(transformers.LlamaModel):
        """A model that looks at ids beside embeddings."""

        def forward(self, input_ids: Tensor | None = None, **kwargs: Any) -> Any:
            """The hidden states, moved by the ids."""
            output = super().forward(input_ids=input_ids, **kwargs)
            if input_ids is not None:
                output.last_hidden_state = output.last_hidden_state + input_ids[..., None]
            return output

    config = configuration("llama")
    assert reads_ids(Reads(config), "", "embed_tokens") == "it reads the tokens' ids beside their embeddings"
