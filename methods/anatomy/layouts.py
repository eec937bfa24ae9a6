"""What architectures look like: the one file that names them, and the one to touch to add one.

An architecture is one :class:`Layout` per stack of blocks: dotted paths from a block to each role. Methods
never see these paths: they ask :class:`methods.anatomy.anatomy.Anatomy` for places by role.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from methods.anatomy.layout import Attention, Layout, Part

_SELF = Attention(
    module="attention.self",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    output="attention.output.dense",
)
_BERT = Layout(
    blocks="encoder.layer",
    embedding="embeddings.word_embeddings",
    attention=_SELF,
    up="intermediate.dense",
    down="output.dense",
    attention_output="attention.output.dropout",
    feed_forward_output="output.dropout",
    block_norm="output.LayerNorm",
    pools_first_token=True,
)
_ROBERTA = replace(_BERT, positions="tokens")
_DEBERTA = replace(
    _BERT,
    attention=replace(
        _SELF,
        query="attention.self.query_proj",
        key="attention.self.key_proj",
        value="attention.self.value_proj",
    ),
    attends_to_positions=True,
)
_MPNET = replace(
    _ROBERTA,
    attention=Attention(
        "attention.attn", "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"
    ),
    attention_output="attention.dropout",
)
_DISTILBERT = Layout(
    blocks="transformer.layer",
    embedding="embeddings.word_embeddings",
    attention=Attention(
        "attention", "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"
    ),
    up="ffn.lin1",
    down="ffn.lin2",
    attention_output="attention.out_lin",
    feed_forward_output="ffn.dropout",
    block_norm="output_layer_norm",
    pools_first_token=True,
)
_ALBERT = Layout(
    blocks="encoder.albert_layer_groups.*.albert_layers",
    embedding="embeddings.word_embeddings",
    attention=Attention(
        "attention", "attention.query", "attention.key", "attention.value", "attention.dense"
    ),
    up="ffn",
    down="ffn_output",
    attention_output="attention.output_dropout",
    feed_forward_output="ffn_output",
    block_norm="full_layer_layer_norm",
    pools_first_token=True,
)
_MODERNBERT = Layout(
    blocks="layers",
    embedding="embeddings.tok_embeddings",
    attention=Attention(
        "attn", Part("attn.Wqkv", 0, 3), Part("attn.Wqkv", 1, 3), Part("attn.Wqkv", 2, 3), "attn.Wo"
    ),
    gate=Part("mlp.Wi", 0, 2),
    up=Part("mlp.Wi", 1, 2),
    down="mlp.Wo",
    attention_output="attn.out_drop",
    feed_forward_output="mlp.Wo",
    pools_first_token=True,
)
_GPT2 = Layout(
    blocks="h",
    embedding="wte",
    attention=Attention(
        "attn", Part("attn.c_attn", 0, 3), Part("attn.c_attn", 1, 3), Part("attn.c_attn", 2, 3), "attn.c_proj"
    ),
    up="mlp.c_fc",
    down="mlp.c_proj",
    attention_output="attn.resid_dropout",
    feed_forward_output="mlp.dropout",
    causal=True,
)
_LLAMA = Layout(
    blocks="layers",
    embedding="embed_tokens",
    attention=Attention(
        "self_attn", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"
    ),
    gate="mlp.gate_proj",
    up="mlp.up_proj",
    down="mlp.down_proj",
    attention_output="self_attn.o_proj",
    feed_forward_output="mlp.down_proj",
    causal=True,
)


_MPT = Layout(
    blocks="blocks",
    embedding="wte",
    attention=Attention(
        "attn", Part("attn.Wqkv", 0, 3), Part("attn.Wqkv", 1, 3), Part("attn.Wqkv", 2, 3), "attn.out_proj"
    ),
    up="ffn.up_proj",
    down="ffn.down_proj",
    attention_output="resid_attn_dropout",
    feed_forward_output="ffn.down_proj",
    causal=True,
    positions="none",
)
_GLM = replace(_LLAMA, gate=Part("mlp.gate_up_proj", 0, 2), up=Part("mlp.gate_up_proj", 1, 2))
_GLM4 = replace(_GLM, attention_output="post_self_attn_layernorm", feed_forward_output="post_mlp_layernorm")
_EXPERTS = replace(_LLAMA, gate=None, up=None, down=None, feed_forward_output=None, experts=True)


def _dinov2(config: Any) -> tuple[Layout, ...]:
    """A pre-norm encoder of image patches; a factor for each feature ends a sub-layer."""
    gated = config.use_swiglu_ffn
    return (
        Layout(
            blocks="encoder.layer",
            embedding=None,
            attention=Attention(
                "attention", "attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj"
            ),
            gate="mlp.gate_proj" if gated else None,
            up="mlp.up_proj" if gated else "mlp.fc1",
            down="mlp.down_proj" if gated else "mlp.fc2",
            attention_output="layer_scale1",
            feed_forward_output="layer_scale2",
            pools_first_token=True,
            positions="none",
        ),
    )


def _phi3(config: Any) -> tuple[Layout, ...]:
    """LLaMA's blocks with one matrix for the heads of queries, keys and values, which may be fewer."""
    fused, queries, keys = "self_attn.qkv_proj", config.num_attention_heads, config.num_key_value_heads
    places = ((0, queries), (queries, keys), (queries + keys, keys))
    query, key, value = (Part(fused, first, queries + 2 * keys, span=span) for first, span in places)
    return (
        replace(
            _LLAMA,
            attention=Attention("self_attn", query, key, value, "self_attn.o_proj"),
            gate=Part("mlp.gate_up_proj", 0, 2),
            up=Part("mlp.gate_up_proj", 1, 2),
            attention_output="resid_attn_dropout",
            feed_forward_output="resid_mlp_dropout",
        ),
    )


def _bart(side: str) -> Layout:
    """The blocks of BART, OPT and their kin: dropout is a function, so it follows the adapters."""

    def attention(name: str) -> Attention:
        return Attention(name, f"{name}.q_proj", f"{name}.k_proj", f"{name}.v_proj", f"{name}.out_proj")

    return Layout(
        blocks=f"{side}.layers",
        embedding=f"{side}.embed_tokens",
        attention=attention("self_attn"),
        cross_attention=attention("encoder_attn") if side == "decoder" else None,
        up="fc1",
        down="fc2",
        attention_output="self_attn.out_proj",
        feed_forward_output="fc2",
        block_norm="final_layer_norm",
        root=side,
        causal=side == "decoder",
    )


def _opt(config: Any) -> tuple[Layout, ...]:
    ends = None if config.do_layer_norm_before else "final_layer_norm"
    return (replace(_bart("decoder"), cross_attention=None, block_norm=ends, positions="mask"),)


def _interleaved(path: str, groups: int, queries: int = 1) -> tuple[Part, Part, Part]:
    """Parts of a fused projection that holds each group's queries, key and value side by side."""
    of = queries + 2
    query = Part(path, 0, of, groups, span=queries)
    return query, Part(path, queries, of, groups), Part(path, queries + 1, of, groups)


def _gpt_neox(config: Any) -> tuple[Layout, ...]:
    fused = _interleaved("attention.query_key_value", config.num_attention_heads)
    return (
        Layout(
            blocks="layers",
            embedding="embed_in",
            attention=Attention("attention", *fused, "attention.dense"),
            up="mlp.dense_h_to_4h",
            down="mlp.dense_4h_to_h",
            attention_output="post_attention_dropout",
            feed_forward_output="post_mlp_dropout",
            causal=True,
            parallel=config.use_parallel_residual,
        ),
    )


def _falcon(config: Any) -> tuple[Layout, ...]:
    """Three ways to share keys: a group of heads shares one, all do, or none does."""
    fused, heads = "self_attention.query_key_value", config.num_attention_heads
    if config.new_decoder_architecture:
        parts = _interleaved(fused, config.num_kv_heads, heads // config.num_kv_heads)
    else:
        parts = _interleaved(fused, 1, heads) if config.multi_query else _interleaved(fused, heads)
    return (
        Layout(
            blocks="h",
            embedding="word_embeddings",
            attention=Attention("self_attention", *parts, "self_attention.dense"),
            up="mlp.dense_h_to_4h",
            down="mlp.dense_4h_to_h",
            attention_output="self_attention.dense",
            feed_forward_output="mlp.dense_4h_to_h",
            causal=True,
            parallel=config.new_decoder_architecture or config.parallel_attn,
            positions="none" if config.alibi else "sequence",
        ),
    )


def _t5(config: Any) -> tuple[Layout, ...]:
    def attention(name: str) -> Attention:
        return Attention(name, f"{name}.q", f"{name}.k", f"{name}.v", f"{name}.o")

    def stack(side: str, feed_forward: str) -> Layout:
        inner = f"{feed_forward}.DenseReluDense"
        return Layout(
            blocks=f"{side}.block",
            embedding=f"{side}.embed_tokens",
            attention=attention("layer.0.SelfAttention"),
            cross_attention=attention("layer.1.EncDecAttention") if side == "decoder" else None,
            gate=f"{inner}.wi_0" if config.is_gated_act else None,
            up=f"{inner}.wi_1" if config.is_gated_act else f"{inner}.wi",
            down=f"{inner}.wo",
            attention_output="layer.0.dropout",
            feed_forward_output=f"{feed_forward}.dropout",
            root=side,
            causal=side == "decoder",
            positions="none",
        )

    return stack("encoder", "layer.1"), stack("decoder", "layer.2")


LAYOUTS: dict[str, tuple[Layout, ...] | Callable[[Any], tuple[Layout, ...]]] = {
    "bert": (_BERT,),
    "electra": (_BERT,),
    "roberta": (_ROBERTA,),
    "xlm-roberta": (_ROBERTA,),
    "camembert": (_ROBERTA,),
    "distilbert": (_DISTILBERT,),
    "albert": (_ALBERT,),
    "deberta-v2": (_DEBERTA,),
    "mpnet": (_MPNET,),
    "modernbert": (_MODERNBERT,),
    "gpt2": (_GPT2,),
    "gpt_neox": _gpt_neox,
    "opt": _opt,
    "llama": (_LLAMA,),
    "mistral": (_LLAMA,),
    "qwen2": (_LLAMA,),
    "qwen3": (_LLAMA,),
    "gemma": (_LLAMA,),
    "phi3": _phi3,
    "falcon": _falcon,
    "mpt": (_MPT,),
    "glm": (_GLM,),
    "glm4": (_GLM4,),
    "mixtral": (_EXPERTS,),
    "qwen3_moe": (_EXPERTS,),
    "olmoe": (_EXPERTS,),
    "gpt_oss": (_EXPERTS,),
    "dinov2": _dinov2,
    "t5": _t5,
    "mt5": _t5,
    "bart": (_bart("encoder"), _bart("decoder")),
    "mbart": tuple(replace(_bart(side), block_norm=None) for side in ("encoder", "decoder")),
    "whisper": (
        replace(_bart("encoder"), block_norm=None, embedding=None),  # it reads sound
        replace(_bart("decoder"), block_norm=None),
    ),
}
"""transformers model type -> its layouts, encoder before decoder, or a function of its configuration."""
