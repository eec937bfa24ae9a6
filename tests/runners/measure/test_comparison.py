"""Real tiny models, with a small time limit: what is compared, not how fast it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from reports.records.latency_files import read_latency, write_latency
from reports.records.latency_schema import LatencyRecord
from runners.measure.comparison import Cell, Comparison
from runners.plan.contenders import parse_contender
from runners.plan.errors import SpecError

QUICK = {"width": 0.5, "seconds": 0.5}


def choices(*texts: str) -> list[object]:
    return [parse_contender(text) for text in texts]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny-gpt2")
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=90, n_positions=40)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def encoder_comparison(tiny_model: str) -> Comparison:
    return Comparison(tiny_model, choices("lora:rank=2", "houlsby:bottleneck=3", "prompt:length=8"))


def test_who_takes_part(encoder_comparison: Comparison) -> None:
    found = encoder_comparison.contestants
    labels = ["base", "base again", "lora rank=2", "lora rank=2, merged", "houlsby bottleneck=3"]
    assert list(found) == [*labels, "prompt length=8"]
    assert [c.max_input_length for c in found.values()] == [128] * 5 + [120]
    assert [c.parameters for c in found.values()][:4] == [0, 0, 2 * 2 * 2 * 64, 2 * 2 * 2 * 64]
    weights = [next(c.model.parameters()).data_ptr() for c in found.values()]
    assert len(set(weights)) == len(weights)
    assert not any(module.training for c in found.values() for module in c.model.modules())
    merged, unmerged = found["lora rank=2, merged"].model, found["lora rank=2"].model
    assert sum(1 for _ in merged.modules()) < sum(1 for _ in unmerged.modules())


def test_no_factor_stays_zero(encoder_comparison: Comparison) -> None:
    model = encoder_comparison.contestants["lora rank=2"].model
    factors = [p for name, p in model.named_parameters() if "lora_" in name]
    assert len(factors) == 8
    assert all(p.any() for p in factors)


def test_a_record_says_what_was_timed(encoder_comparison: Comparison, tmp_path: Path) -> None:
    (cell,) = encoder_comparison.cells([2], [6])
    record = encoder_comparison.measure(cell, study="here", **QUICK)
    assert (record.phase, record.batch_size, record.sequence_length) == ("forward", 2, 6)
    assert record.weights.startswith("sha256:")
    assert record.entries[2].options["rank"] == 2
    assert record.control.label == "base again"
    assert record.rounds >= 2
    assert all(e.latency_ms_p50 > 0 for e in record.entries)
    again: LatencyRecord = read_latency(write_latency(record, tmp_path))
    assert again == record
    assert encoder_comparison.is_of(again, cell)
    assert not encoder_comparison.is_of(again, Cell("forward", 2, 7))


def test_a_causal_model_is_timed_up_to_its_first_token_and_per_further_one(decoder: str) -> None:
    comparison = Comparison(decoder, choices("prefix:length=4", "prompt:length=4", "lora:rank=2"))
    cells = comparison.cells([1], [5], 3)
    assert cells == [Cell("prefill", 1, 5), Cell("decode", 1, 5, 3)]
    for cell in cells:
        record = comparison.measure(cell, **QUICK)
        assert record.phase == cell.phase
        assert [e.max_input_length for e in record.entries] == [40, 40, 36, 36, 40, 40]


def test_decoding_continues_the_input(decoder: str) -> None:
    """What is timed step by step computes what one pass over the whole text computes."""
    from runners.measure.comparison import _Decode

    comparison = Comparison(decoder, choices("prefix:length=4", "prompt:length=4", "lora:rank=2"))
    ids = torch.randint(0, 90, (2, 8), generator=torch.Generator().manual_seed(1))
    for contestant in comparison.contestants.values():
        call = _Decode(contestant.model, Cell("decode", 2, 5, 3), ids)
        with torch.inference_mode():
            call.prepare()
            last = call.run().logits[:, -1]  # type: ignore[attr-defined]
            whole = contestant.model(input_ids=ids).logits[:, -1]
        assert torch.allclose(last, whole, atol=1e-4)


def test_what_cannot_be_timed_is_one_sentence(tiny_model: str, encoder_comparison: Comparison) -> None:
    with pytest.raises(SpecError, match=r"needs 121 positions, and prompt length=8 leaves 120"):
        encoder_comparison.cells([1], [121])
    with pytest.raises(SpecError, match="no causal language model"):
        encoder_comparison.cells([1], [8], 2)
    with pytest.raises(SpecError, match="named twice"):
        Comparison(tiny_model, choices("lora:rank=2", "lora:rank=2"))
