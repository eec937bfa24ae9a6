"""FLOPs in closed form, against torch's own count and against formulas written out."""

from __future__ import annotations

from typing import Any

import pytest

import methods
from methods.core import Flops
from runners.measure.flops import counted

from ..anatomy.test_anatomy import SEARCHED, unknown
from ..cells import NOT_OF_TEXT, OF_EXPERTS, apply, why_not
from ..conftest import ARCHITECTURES, VARIANTS, tiny
from ..test_any_model import made

BATCH, LENGTH = 3, 11
NO_CLOSED_FORM = {
    "deberta-v2": "attends to positions by products of their own",
    **dict.fromkeys(OF_EXPERTS, "which of them run depends on the input"),
    **dict.fromkeys(NOT_OF_TEXT, "reads no tokens"),
}
KINDS = ("full", "top_layers", "bitfit", "lora", "ia3", "houlsby", "prefix", "did")
"""Of each way to do something to a pass, one."""
SOME = pytest.mark.parametrize("name", KINDS)
EVERYTHING = ("bert", "gpt2", "gpt_neox", "modernbert", "qwen3", "t5")
CELLS = [
    (name, architecture)
    for architecture in ARCHITECTURES
    for name in (methods.names() if architecture in EVERYTHING else KINDS)
    if architecture not in (*VARIANTS, *NO_CLOSED_FORM) and why_not(name, architecture, "classify") is None
]


def agree(adapted: methods.Adapted) -> Flops:
    """Compare the two and return the number."""
    closed = adapted.flops(BATCH, LENGTH)
    assert closed == counted(adapted.model, BATCH, LENGTH)
    return closed


@pytest.mark.parametrize(("name", "architecture"), CELLS)
def test_the_closed_form_is_what_torch_counts(name: str, architecture: str) -> None:
    agree(apply(tiny(architecture), name))


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize(
    ("architecture", "head"), [("gpt2", "causal"), ("bert", "causal"), ("t5", "seq2seq")]
)
def test_language_models(name: str, architecture: str, head: str) -> None:
    if why_not(name, architecture, head) is None:
        agree(apply(tiny(architecture, head), name))


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("albert", {"num_hidden_layers": 5}),  # one block runs five times
        ("gpt_neox", {"use_parallel_residual": False}),
        ("opt", {"do_layer_norm_before": False}),
        ("bert", {"attn_implementation": "eager"}),
        ("t5", {"feed_forward_proj": "relu", "num_layers": 3, "num_decoder_layers": 1}),
        ("bart", {"encoder_layers": 1, "decoder_layers": 3}),
    ],
)
@SOME
def test_variants_of_architectures(name: str, architecture: str, changes: dict[str, Any]) -> None:
    if why_not(name, architecture, "classify") is None:
        agree(apply(tiny(architecture, **changes), name))


EVERY_LAYER = "query,key,value,output,up,down"


@pytest.mark.parametrize(
    ("name", "options", "architecture"),
    [
        ("lora", {"target": EVERY_LAYER}, "bert"),
        ("lora", {"target": "up"}, "gpt_neox"),  # a gradient in one of two parallel sub-layers
        ("lora", {"target": "down"}, "gpt2"),
        ("lora", {"target": "gate,up"}, "modernbert"),
        ("lora", {"target": "qkv"}, "gpt2"),
        ("dora", {"target": "qkv,output"}, "gpt2"),
        ("dora", {"target": EVERY_LAYER}, "llama"),
        ("dora", {"target": "key"}, "t5"),
        ("vera", {"target": EVERY_LAYER}, "bert"),
        ("vera", {"target": "up"}, "gpt_neox"),
        ("vera", {"target": "qkv"}, "gpt2"),
        ("houlsby", {"layer_norms": False}, "bert"),
        ("houlsby", {"layer_norms": False}, "gpt_neox"),
        ("top_layers", {"layers": 2}, "bert"),
        ("top_layers", {"layers": 3}, "bart"),
        ("prefix", {"hidden": None}, "gpt2"),
        ("prefix", {"hidden": None}, "t5"),
        ("prompt", {"length": 9}, "bart"),
        ("did", {"dimension": 40, "projection": "fastfood", "head": "beside"}, "bert"),
        ("said", {"dimension": 40, "projection": "dense"}, "gpt2"),
        ("said", {"dimension": 500, "projection": "fastfood"}, "t5"),
    ],
)
def test_options(name: str, options: dict[str, Any], architecture: str) -> None:
    agree(methods.apply(tiny(architecture), name, **options))


# Formulas, on BERT: L blocks of width d with an inner width f, t = B T tokens, C classes.
L, D, F, C = 2, 32, 48, 3
T = LENGTH
TOKENS = BATCH * T
BODY = L * TOKENS * (8 * D * D + 4 * D * F + 4 * T * D)
HEAD = BATCH * 2 * D * (D + C)  # pooler and classifier read one token
R = M = N = 5
EVERY = tiny("bert").num_parameters()
EXTRA: dict[str, tuple[dict[str, Any], int]] = {
    "full": ({}, 0),
    "head": ({}, 0),
    "bitfit": ({}, 0),
    "top_layers": ({}, 0),
    "ia3": ({}, 0),
    "lora": ({"rank": R}, TOKENS * 2 * L * 2 * R * (D + D)),
    "dora": ({"rank": R}, 2 * L * (TOKENS * 2 * R * (D + D) + 2 * R * D * D)),
    "ln": ({}, 0),
    "vera": ({"rank": R}, TOKENS * 2 * L * 2 * R * (D + D)),
    "parallel": ({"bottleneck": M}, TOKENS * L * 4 * D * M),
    "houlsby": ({"bottleneck": M}, TOKENS * 2 * L * 4 * D * M),
    "lin": ({"bottleneck": M}, TOKENS * L * 4 * D * M),
    "pfeiffer": ({"bottleneck": M}, TOKENS * L * 4 * D * M),
    "prefix": ({"length": N, "hidden": R}, TOKENS * L * 4 * N * D + 2 * N * R * (D + 2 * L * D)),
    "prompt": (
        {"length": N},
        L * BATCH * (N * (8 * D * D + 4 * D * F) + 4 * D * ((T + N) * (T + N) - T * T)),
    ),
    "did": ({"dimension": R, "projection": "dense"}, 2 * EVERY * R),
    # 20 - 3 scales are padded to 32 and go through H_32; then l = 32,768 as 64 x 512, of whose 64 rows the
    # first cover D, and 512 = 32 x 16.
    "said": (
        {"dimension": 20, "projection": "fastfood"},
        2 * 32 * 32 + 2 * -(-EVERY // 512) * 512 * (64 + 32 + 16),
    ),
}


@pytest.mark.parametrize("name", EXTRA)
def test_what_a_method_adds_to_a_forward_pass(name: str) -> None:
    options, extra = EXTRA[name]
    assert methods.apply(tiny("bert"), name, **options).flops(BATCH, T).forward_flops == BODY + HEAD + extra


def test_training_everything_is_three_forward_passes() -> None:
    flops = methods.apply(tiny("bert"), "full").flops(BATCH, T)
    assert flops.training_step_flops == 3 * flops.forward_flops


def test_the_head_alone_needs_no_backward_pass_through_the_body() -> None:
    flops = methods.apply(tiny("bert"), "head").flops(BATCH, T)
    assert flops.training_step_flops - flops.forward_flops == BATCH * 2 * D * C  # the classifier's weight


def test_top_layers_need_one_through_themselves_alone() -> None:
    flops = methods.apply(tiny("bert"), "top_layers", layers=1).flops(BATCH, T)
    block = BODY // L
    first = TOKENS * 6 * D * D  # nothing below the block's projections asks for the gradient of their input
    backward = 2 * block - first + BATCH * 2 * D * D + BATCH * 4 * D * C
    assert flops.training_step_flops - flops.forward_flops == backward


def test_a_frozen_body_leaves_one_of_two_backward_passes() -> None:
    flops = methods.apply(tiny("bert"), "bitfit").flops(BATCH, T)
    attention = L * TOKENS * 4 * T * D  # both of its operands are activations
    backward = BODY + attention + BATCH * 2 * D * D + BATCH * 4 * D * C
    assert flops.training_step_flops - flops.forward_flops == backward


@pytest.mark.parametrize("architecture", NO_CLOSED_FORM)
def test_what_sizes_do_not_tell_has_no_closed_form(architecture: str) -> None:
    adapted = methods.apply(tiny(architecture), "lora")
    with pytest.raises(methods.AnatomyError, match=NO_CLOSED_FORM[architecture]):
        adapted.flops(BATCH, T)


OTHERS = (*SEARCHED, "falcon-7b", "falcon-rw", "gptj", "t5-tokens", "t5-encoder", "gemma3n")
SOMETHING = ("lora", "houlsby", "top_layers")
REACHED = [(name, kind) for kind in OTHERS for name in SOMETHING if (name, kind) != ("houlsby", "gemma3n")]


@pytest.mark.parametrize(("name", "kind"), REACHED)
def test_what_was_searched_is_counted_right_or_not_at_all(name: str, kind: str) -> None:
    """Blocks of other orders, norms without weights, heads that read every token, layers of no known role."""
    model = unknown(kind) if kind in SEARCHED else made(kind)
    adapted = apply(model, name)
    if kind in ("olmo2", "gemma3n"):
        with pytest.raises(methods.AnatomyError, match="no closed form"):
            adapted.flops(BATCH, LENGTH)
        return
    agree(adapted)
