"""The passes that are timed are those of a text that is written, and the cache is what it has to be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import methods
from methods.core.twins import as_stored, base_of, twin
from reports.records.cost_parts import Decoding
from runners.measure import decoding
from runners.measure.timing import NS_PER_MS
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from tests.methods.cells import OPTIONS, perturb
from tests.methods.conftest import seed, tiny

FAMILIES = {"gpt2": "causal", "llama": "causal", "t5": "seq2seq", "bart": "seq2seq"}
KEYS = {"gpt2": (4, 8), "llama": (2, 8), "t5": (4, 16), "bart": (4, 8)}
"""Heads of keys and values, and the width of each."""
BLOCKS, PROMPT, WRITTEN = 2, 6, 4


def adapted(family: str, method: str, **options: Any) -> methods.Adapted:
    seed(11)
    made = methods.apply(tiny(family, FAMILIES[family]), method, **{**OPTIONS.get(method, {}), **options})
    perturb(made)
    return as_stored(made)


def text() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.arange(10, 10 + PROMPT + WRITTEN)[None]
    return ids[:, :PROMPT], ids[:, PROMPT:]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["lora", "prefix", "prompt"])
def test_a_text_is_written_with_every_token_before_it(family: str, method: str) -> None:
    """The last logits are those of one pass over all, and the cache holds what the formula says."""
    made = adapted(family, method)
    prompt, written = text()
    model = made.model.eval()
    writing = decoding.Writing(model, prompt, written)
    with torch.inference_mode():
        first, last = writing.begin(), writing.go_on()
        if FAMILIES[family] == "causal":
            whole = model(input_ids=torch.cat([prompt, written], dim=1), use_cache=False).logits
            assert torch.allclose(first[:, -1], whole[:, PROMPT - 1], atol=1e-4)
            assert torch.allclose(last[:, -1], whole[:, -2], atol=1e-4)
        else:
            told = torch.cat([written[:, :1], written[:, :-1]], dim=1)
            whole = model(input_ids=prompt, decoder_input_ids=told, use_cache=False).logits
            assert torch.allclose(first[:, -1], whole[:, 0], atol=1e-4)
            assert torch.allclose(last[:, -1], whole[:, -1], atol=1e-4)
    heads, width = KEYS[family]
    vector = 2 * heads * width * 4  # a key and a value in float32
    own = 4 if method == "prompt" else 0
    read = WRITTEN - 1 if FAMILIES[family] == "causal" else WRITTEN  # with the token that begins a text
    positions = own + PROMPT + read
    assert decoding.cache_bytes(writing.cache) == BLOCKS * vector * positions
    attentions = BLOCKS if FAMILIES[family] == "causal" else 3 * BLOCKS
    in_front = attentions * vector * 4 if method == "prefix" else 0
    assert decoding.bytes_in_front(model) == in_front


@pytest.mark.parametrize(("method", "merges"), [("lora", True), ("prompt", False)])
def test_the_part_of_a_record(method: str, merges: bool) -> None:
    made = adapted("llama", method)
    made.model.eval()
    merged = None
    if merges:
        folded = twin(made)
        folded.merge()
        merged = folded.model
    prompt, written = text()
    asked: dict[str, Any] = {"rounds": 3, "width": 0.0, "seed": 0, "max_input_length": 60}
    asked["merge_logit_difference"] = None
    models = (base_of(made), base_of(made), made.model, merged)
    found = decoding.trial_decoding(*models, prompt, written, warmup=0, **asked)
    assert Decoding.model_validate_json(found.model_dump_json()) == found
    assert (found.prompt_length, found.written_tokens, found.rounds) == (PROMPT, WRITTEN, 3)
    assert (found.first_token.merged is None, found.next_token.merged is None) == (not merges, not merges)
    assert (found.merged_tokens_per_second is None) == (not merges)
    taken = found.first_token.unmerged.latency_ms_p50 + 3 * found.next_token.unmerged.latency_ms_p50
    assert found.tokens_per_second == pytest.approx(4000 / taken)
    assert (found.cache_bytes > found.base_cache_bytes) == (method == "prompt")
    made.model.train()
    with pytest.raises(ValueError, match="the unmerged model is not in eval mode"):
        decoding.trial_decoding(*models, prompt, written, **asked)


def test_every_call_follows_one_up_to_the_first_token_and_a_token_is_its_share(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Timed(decoding.Writing):
        """Every model takes as long."""

        def begin(self) -> torch.Tensor:
            clock.contender("begin", 7 * NS_PER_MS)()
            return super().begin()

        def go_on(self) -> torch.Tensor:
            clock.contender("go on", 6 * NS_PER_MS)()
            return super().go_on()

    monkeypatch.setattr(decoding, "Writing", Timed)
    models = [tiny("gpt2", "causal").eval() for _ in range(3)]
    asked: dict[str, Any] = {"width": 0.04, "seed": 0, "max_input_length": 60, "merge_logit_difference": None}
    found = decoding.trial_decoding(*models, None, *text(), rounds=2, warmup=1, **asked)
    assert found.first_token.base_ms_p50 == 7
    assert found.next_token.base_ms_p50 == 6 / (WRITTEN - 1)
    assert found.next_token.unmerged.latency_ms_p95 == 6 / (WRITTEN - 1)
    assert found.next_token.unmerged.ratio == 1
    first, rest = clock.calls[: 3 * 3 * 2], clock.calls[3 * 3 * 2 :]
    assert first == ["begin"] * 18
    assert rest == ["begin", "go on"] * 9
    narrow = decoding.trial_decoding(*models, None, *text(), rounds=30, warmup=0, **asked)
    assert (narrow.first_token.rounds, narrow.next_token.rounds, narrow.rounds) == (
        10,
        10,
        10,
    )  # at two looks


def test_a_prompt_is_shortened_to_what_fits_and_a_text_is_not() -> None:
    settings = CostSettings(decoding_prompt=10, decoding_tokens=6)
    assert decoding.lengths(settings, None) == (10, 6)
    assert decoding.lengths(settings, 16) == (10, 6)
    assert decoding.lengths(settings, 9) == (3, 6)
    with pytest.raises(SpecError, match="decoding_tokens=6, but the model has 6 positions"):
        decoding.lengths(settings, 6)


def test_what_keeps_nothing_of_a_prompt_has_no_such_times() -> None:
    def without(module: Any, given: Any, made: Any) -> Any:
        made.past_key_values = None
        return made

    model = tiny("gpt2", "causal")
    model.register_forward_hook(without)
    with pytest.raises(SpecError, match="keeps no keys and values"):
        decoding.Writing(model, *text()).begin()
