"""Many tasks of a tiny model: what is in the record, against what can be counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import methods
from methods import MethodError
from reports.records.serving_schema import ServingRecord
from runners.measure.serving import arrivals, batches, cost, storage
from runners.measure.serving.cost import ServeCost, Watch
from runners.measure.serving.ways import Rows, contenders, serve
from runners.plan.contenders import parse_contender
from runners.plan.errors import SpecError
from runners.plan.serving_study import Asked, AskedArrivals

SMALL = Asked((1, 3), (1, 4), (6,), seconds=0.2, width=0.5)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(storage, "TIMES", 2)
    monkeypatch.setattr(storage, "LEAST", 2)


def measured(model: str, method: str, asked: Asked = SMALL, **more) -> ServingRecord:
    return ServeCost(model, parse_contender(method), asked).measure(**more)


@pytest.mark.parametrize("method", ["lora:rank=2", "pfeiffer:bottleneck=3", "prefix:length=2", "bitfit"])
def test_a_record_has_every_number_of_tasks_and_every_batch(method, tiny_model):
    found = measured(tiny_model, method)
    merges = methods.get(found.method).mergeable
    assert [one.tasks for one in found.stored] == [1, 3]
    assert [(one.batch_size, one.tasks) for one in found.batches] == [(1, 1), (1, 3), (4, 1), (4, 3)]
    for one in found.stored:
        assert one.memory_bytes >= one.tasks * found.task_tensor_bytes
        assert one.allocated_bytes >= one.memory_bytes
    # One more task takes its tensors, and at most 64 bytes of alignment for each of them.
    grown = (found.stored[1].memory_bytes - found.stored[0].memory_bytes) / 2
    assert found.task_tensor_bytes <= grown <= found.task_tensor_bytes + 64 * 60
    for one in found.batches:
        parts = (one.merged, one.merged_in_turn, one.mixed_to_merged_in_turn, one.one_task_to_merged)
        assert [part is not None for part in parts] == [merges] * 4
        assert 1 <= one.distinct_tasks <= min(one.tasks, one.batch_size)
        assert one.mixed_difference < 1e-4
    assert (found.merged_switch is not None) == (found.merged_kept_bytes is not None) == merges
    assert found.arrivals is None
    assert found.energy is None


def test_bytes_are_those_of_the_tensors(tiny_model):
    found = measured(tiny_model, "lora:rank=2")
    lora, head = 2 * 2 * 2 * (2 * 32), 2 * 32 + 2  # blocks, query and value, A and B of rank 2
    assert found.task_parameters == lora + head
    assert found.task_tensor_bytes == 4 * (lora + head)
    assert found.merged_kept_bytes == 4 * 4 * 32 * 32
    assert found.task_disk_bytes > found.task_tensor_bytes
    assert found.base_memory_bytes >= 4 * found.base_parameters


def test_all_ways_of_a_round_serve_the_same_rows_and_answer_the_same(tiny_model):
    one = ServeCost(tiny_model, parse_contender("lora:rank=2"), SMALL)
    with one.serving() as filled, torch.inference_mode():
        filled.fill(3)
        inputs = one.inputs(4, 6)
        calls, before, mixed = contenders(filled.models, inputs, "uniform", 3, seed=0)
        for _ in range(3):
            answers = {}
            for name in ("in turn", "merged in turn", "mixed"):
                before[name]()
                answers[name] = calls[name]()
            assert torch.allclose(answers["in turn"], answers["merged in turn"], atol=1e-5)
            assert torch.allclose(
                answers["in turn"],
                answers["mixed"].logits if hasattr(answers["mixed"], "logits") else answers["mixed"],
                atol=1e-5,
            )
        assert len(mixed.distinct) == 3


class Given:
    """Draws the same batch again and again."""

    def __init__(self, *tasks: int) -> None:
        self.tasks = np.array(tasks)

    def batch(self):
        return self.tasks


def test_tasks_differ_and_are_the_same_when_they_are_made_again(tiny_model):
    one = ServeCost(tiny_model, parse_contender("prompt:length=2"), SMALL)
    with one.serving() as filled, torch.inference_mode():
        filled.fill(3)
        inputs = one.inputs(4, 6)
        rows = Rows(inputs | {"input_ids": inputs["input_ids"][:1].repeat(4, 1)}, Given(0, 1, 2, 0))
        rows.draw()
        first, second, third, again = serve("mixed", filled.models, rows)
    assert torch.equal(first, again)
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)
    made, twice = (one.tenants.checkpoint(1).tensors for _ in range(2))
    assert all(torch.equal(made[name], twice[name]) for name in made)


def test_ways_that_differ_are_no_measurement(tiny_model, monkeypatch):
    numbers = itertools.count()
    real = batches.serve

    def wrong(way, models, rows):
        return real(way, models, rows) + next(numbers)

    monkeypatch.setattr(batches, "serve", wrong)
    with pytest.raises(RuntimeError, match="a mixed batch differs from task after task by 2"):
        measured(tiny_model, "lora:rank=2")


def test_what_no_bank_serves_and_what_does_not_fit_is_said_before_anything_is_timed(tiny_model, monkeypatch):
    with pytest.raises(MethodError, match="full"):
        measured(tiny_model, "full")
    with pytest.raises(SpecError, match=r"received the length 129, and lora leaves 128 tokens"):
        measured(tiny_model, "lora", Asked((1,), (1,), (129,)))
    monkeypatch.setattr(cost.device, "available_bytes", lambda device: 10 * 2**20)
    with pytest.raises(
        SpecError, match=r"received 1,000,000 tasks, and there is memory for about [\d,]+ of lora"
    ):
        measured(tiny_model, "lora", Asked((1_000_000,), (1,), (6,)))


def test_a_batch_that_is_too_large_is_left_out_and_said(tiny_model, monkeypatch):
    real = cost.served_batch

    def explode(served, inputs, *more):
        if len(inputs["input_ids"]) == 4:
            raise MemoryError
        return real(served, inputs, *more)

    monkeypatch.setattr(cost, "served_batch", explode)
    said = []
    found = measured(tiny_model, "bitfit", watch=Watch(left_out=said.append))
    assert {one.batch_size for one in found.batches} == {1}
    assert said[0] == "Left out: bitfit: 1 task, batch 4 x 6 tokens: the device ran out of memory."


def test_arrivals_are_simulated_for_more_tasks_and_rehearsed_for_a_few(tiny_model):
    asked = AskedArrivals(further=(50,), requests=400, seconds=0.2)
    found = measured(tiny_model, "lora:rank=2", arriving=asked).arrivals
    assert found is not None
    assert [(one.way, one.tasks) for one in found.simulated] == [
        (way, tasks) for way in ("mixed", "in turn", "merged in turn") for tasks in (1, 3, 50)
    ]
    for one in found.simulated:
        assert one.largest_rate_per_second > 0
        assert one.in_memory == one.tasks
        assert one.waited is None or one.waited.ms_p50 <= one.waited.ms_p95 <= one.waited.ms_p99
    assert [one.way for one in found.rehearsed] == ["mixed", "in turn", "merged in turn"]
    assert all(one.tasks == 3 and one.requests >= 50 for one in found.rehearsed)
    for one in found.rehearsed:
        assert one.measured.ms_p50 > 0
        assert one.service_ratio
        assert one.simulated_as_fast


def test_memory_for_one_task_holds_one(tiny_model):
    asked = AskedArrivals(further=(), requests=200, seconds=0, memory_bytes=1)
    found = measured(tiny_model, "bitfit", arriving=asked).arrivals
    assert found is not None
    assert {one.in_memory for one in found.simulated} == {1}
    assert found.rehearsed == ()


@pytest.mark.parametrize(
    ("value", "rounded"), [(1, 1), (1.99, 1), (2, 2), (49, 20), (50, 50), (0.7, 0.5), (1000, 1000)]
)
def test_rates_are_round(value, rounded):
    assert arrivals._round_below(value) == pytest.approx(rounded)


def test_a_causal_model_is_served_up_to_its_first_token(tmp_path):
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    from runners import models

    tokenizer = AutoTokenizer.from_pretrained(models.location("embedded"))
    settings = GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=40)
    GPT2LMHeadModel(settings).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found = measured(str(tmp_path), "lora:rank=2")
    assert found.phase == "prefill"
    # Its head is the base's own: a task is the method alone.
    assert found.task_parameters == 2 * 2 * (16 + 48)
