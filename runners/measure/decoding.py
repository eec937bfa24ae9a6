"""How long a model takes to write: to the first token and to each that follows, beside the untouched base.

A text is written behind a prompt, batch 1. Which tokens it has is given and never the model's choice, and
none ends it, so that all models do the same work. Timed are the passes of the model as ``generate()`` makes
them: for the first token one over the prompt, which fills the key/value cache and gives the logits of that
token alone; for each that follows one over the token before it. An encoder-decoder's first pass is its
encoder's and the first step of its decoder. What ``generate()`` does between passes is the same for all, and
is not timed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from methods.core.attention import bytes_in_front
from reports.records.cost_parts import Decoding, LatencyRow, Pace
from reports.records.timings import pace
from runners.measure.timing import Contender, Measured, measure_until
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError

WARMUP_ROUNDS = 3
"""Of first tokens; one of those that follow, whose models are warm."""
LEAST_ROUNDS = 8
"""Before the first look at the intervals."""


class Writing:
    """One model and the text that it is made to write.

    Args:
        model: a language model, in evaluation mode.
        prompt: what it reads (1 x n).
        written: what it writes (1 x m); the last token is not read again.
    """

    def __init__(self, model: Any, prompt: Tensor, written: Tensor) -> None:
        self.model = model
        self.cache: Any = None
        self.pair = bool(model.config.is_encoder_decoder)
        self.more: dict[str, Any] = {}
        """What every later pass is given beside its token."""
        length, steps = prompt.shape[1], written.shape[1] - 1
        seen = torch.ones(1, length + steps, dtype=torch.long, device=prompt.device)
        self.first: dict[str, Any] = {"input_ids": prompt, "attention_mask": seen[:, :length]}
        self.name = "decoder_input_ids" if self.pair else "input_ids"
        if self.pair:  # any token may begin: all cost the same
            self.first["decoder_input_ids"] = written[:, :1]
            masks = [seen[:, :length]] * steps
        else:
            if model._supports_logits_to_keep():
                self.first["logits_to_keep"] = 1
            masks = [seen[:, : length + index + 1] for index in range(steps)]
        self.rest = list(zip(written[:, :-1].split(1, dim=1), masks, strict=True))

    def begin(self) -> Tensor:
        """Go up to the logits of the first token, with an empty cache, and return them.

        Raises:
            SpecError: the model keeps no keys and values.
        """
        made = self.model(**self.first, use_cache=True)
        self.cache = getattr(made, "past_key_values", None)
        if not isinstance(self.cache, Cache):
            raise SpecError(f"{type(self.model).__name__} keeps no keys and values of what it has read.")
        if self.pair:
            self.more["encoder_outputs"] = BaseModelOutput(last_hidden_state=made.encoder_last_hidden_state)
        logits: Tensor = made.logits
        return logits

    def go_on(self) -> Tensor:
        """Go up to the logits of every token that follows, and return those of the last."""
        for token, mask in self.rest:
            given = {self.name: token, "attention_mask": mask, "past_key_values": self.cache}
            logits: Tensor = self.model(**given, **self.more, use_cache=True).logits
        return logits


def trial_decoding(
    base: nn.Module,
    control: nn.Module,
    unmerged: nn.Module,
    merged: nn.Module | None,
    prompt: Tensor,
    written: Tensor,
    *,
    rounds: int,
    width: float,
    seed: int,
    max_input_length: int | None,
    merge_logit_difference: float | None,
    warmup: int = WARMUP_ROUNDS,
) -> Decoding:
    """The decoding part of a record: all models write the same text behind the same prompt.

    First tokens and those that follow are timed in rounds of their own, which end where all intervals are
    narrow, see :func:`runners.measure.timing.measure_until`. As in
    :func:`runners.measure.latency.trial_latency`, ``control`` is a second untouched base, and every timed
    call follows an untimed one of the same model: to its first token, which fills a new cache.

    Args:
        base, control, unmerged, merged: the models, in evaluation mode; they may share weights.
        prompt: (1 x n), on the models' device.
        written: (1 x m), m from 2.
        rounds: of each kind of token, at most.
        width: of every interval of a ratio at the end, as a share of the ratio; 0 for all rounds.
        seed: of the orders and the bootstrap.
        max_input_length: for the record.
        merge_logit_difference: for the record.
        warmup: rounds of first tokens before those; of those that follow one at most.

    Raises:
        SpecError: a model keeps no keys and values.
    """
    models = {"base": base, "control": control, "unmerged": unmerged}
    if merged is not None:
        models["merged"] = merged
    for name, model in models.items():
        if any(module.training for module in model.modules()):
            raise ValueError(f"the {name} model is not in eval mode")
    writings = {name: Writing(model, prompt, written) for name, model in models.items()}
    begin: dict[str, Contender] = {name: one.begin for name, one in writings.items()}
    tokens = written.shape[1]

    def timed(calls: dict[str, Contender], each: int, warmup: int) -> Measured:
        found = measure_until(
            calls,
            reference="base",
            device=prompt.device,
            width=width,
            seconds=math.inf,
            seed=seed,
            prepare=begin,
            least=LEAST_ROUNDS,
            most=rounds,
            warmup=warmup,
        )
        return replace(found, rows={name: _one_of(row, each) for name, row in found.rows.items()})

    first = timed(begin, 1, warmup)
    following = timed({name: one.go_on for name, one in writings.items()}, tokens - 1, min(1, warmup))
    per_second = {
        name: pace(tokens, first.rows[name].latency_ms_p50, following.rows[name].latency_ms_p50)
        for name in models
    }
    return Decoding(
        prompt_length=prompt.shape[1],
        written_tokens=tokens,
        rounds=max(first.rounds, following.rounds),
        first_token=_beside_base(first),
        next_token=_beside_base(following),
        base_tokens_per_second=per_second["base"],
        tokens_per_second=per_second["unmerged"],
        merged_tokens_per_second=per_second.get("merged"),
        base_cache_bytes=cache_bytes(writings["base"].cache),
        cache_bytes=cache_bytes(writings["unmerged"].cache),
        front_bytes=bytes_in_front(unmerged),
        max_input_length=max_input_length,
        merge_logit_difference=merge_logit_difference,
    )


def cache_bytes(cache: Cache) -> int:
    """Bytes of all keys and values that a cache holds; in an encoder-decoder those of the prompt too."""
    if isinstance(cache, EncoderDecoderCache):
        return cache_bytes(cache.self_attention_cache) + cache_bytes(cache.cross_attention_cache)
    held = (value for layer in cache.layers for value in vars(layer).values())
    return sum(value.nbytes for value in held if isinstance(value, Tensor))


def lengths(settings: CostSettings, limit: int | None) -> tuple[int, int]:
    """Tokens of the prompt, which is shortened to what fits, and of the text.

    Args:
        settings: how costs are measured.
        limit: positions that the model has with its method; None where nothing limits them.

    Raises:
        SpecError: there are too few for the text.
    """
    tokens = settings.decoding_tokens
    prompt = settings.decoding_prompt if limit is None else min(settings.decoding_prompt, limit - tokens)
    if prompt < 1:
        raise SpecError(
            f"costs: decoding_tokens={tokens}, but the model has {limit} positions with this method: "
            "expected fewer, so that a prompt fits too."
        )
    return prompt, tokens


def _one_of(row: LatencyRow, calls: int) -> LatencyRow:
    """The times of one of so many calls that were timed together."""
    each = {name: getattr(row, name) / calls for name in ("latency_ms_p50", "latency_ms_p95")}
    return row.model_copy(update=each)


def _beside_base(found: Measured) -> Pace:
    rows = found.rows
    return Pace(
        base_ms_p50=rows["base"].latency_ms_p50,
        control=rows["control"],
        unmerged=rows["unmerged"],
        merged=rows.get("merged"),
        rounds=found.rounds,
    )
