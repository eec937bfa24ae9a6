"""Floors from rates and bytes that can be counted by hand, and rates without a stopwatch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM

import methods
import tasks
from runners import models
from runners.measure import machine
from runners.measure.machine import Machine, floor, forward_bytes, training_step_bytes

FLOAT = 4  # bytes
RATES = Machine(
    device="a device",
    dtype="float32",
    threads=2,
    flops_per_second=1e11,
    bytes_per_second=1e10,
    streamed_bytes=1,
)


def test_products_bound_a_large_pass_and_bytes_a_small_one() -> None:
    large = floor(RATES, flops=3 * 10**9, bytes_moved=10**8)
    assert (large.compute_ms, large.traffic_ms, large.floor_ms) == (30, 10, 30)
    small = floor(RATES, flops=10**8, bytes_moved=10**8)
    assert (small.compute_ms, small.traffic_ms, small.floor_ms) == (1, 10, 10)
    assert small.ratio(25) == 2.5


def test_a_forward_pass_reads_weights_and_no_embedding_table(tiny_model: str) -> None:
    model = models.classifier(tiny_model, tasks.get("cola"))
    d, f, layers, labels = 32, 64, 2, 2
    block = 4 * (d * d + d) + (d * f + f) + (f * d + d) + 4 * d
    expected = layers * block + 2 * d + (d * d + d) + labels * (d + 1)  # embedding norm, pooler, classifier
    assert forward_bytes(model) == expected * FLOAT


def test_a_table_that_is_a_head_as_well_is_read() -> None:
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    model = BertForMaskedLM(config)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    tables = (config.max_position_embeddings + config.type_vocab_size) * 16
    assert forward_bytes(model) == (sum(p.numel() for p in model.parameters()) - tables) * FLOAT


def test_a_shared_layer_is_read_once_and_precision_counts() -> None:
    layer = nn.Linear(8, 8, bias=False, dtype=torch.bfloat16)
    assert forward_bytes(nn.Sequential(layer, nn.ReLU(), layer)) == 64 * 2


def test_a_training_step_moves_what_trains_nine_times(tiny_model: str) -> None:
    adapted = methods.apply(models.classifier(tiny_model, tasks.get("cola")), "lora")
    trained = adapted.parameter_counts()["trainable"] * FLOAT
    assert training_step_bytes(adapted.model) == forward_bytes(adapted.model) + 9 * trained


def test_the_fastest_call_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now[0])
    costs = iter([9, 7, 3, 8, 5, 6, 4, 1])

    def call() -> None:
        now[0] += next(costs)

    assert machine._best(call, torch.device("cpu"), seconds=1) == 3  # five tries, however long they take
    assert next(costs) == 6


def test_tries_go_on_while_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now[0])
    calls = []

    def call() -> None:
        calls.append(None)
        now[0] += 2

    assert machine._best(call, torch.device("cpu"), seconds=19) == 2
    assert len(calls) == 10


def test_this_machine_is_measured_once_for_each_thread_count() -> None:
    def measure() -> Machine:
        return machine.measure("cpu", streamed_bytes=2**20, seconds=0.01)

    threads = torch.get_num_threads()
    measured = measure()
    assert measured is measure()
    assert (measured.dtype, measured.threads, measured.streamed_bytes) == ("float32", threads, 2**20)
    assert 0 < measured.flops_per_second < math.inf
    assert 0 < measured.bytes_per_second < math.inf
    torch.set_num_threads(threads + 1)
    try:
        other = measure()
    finally:
        torch.set_num_threads(threads)
    assert other.threads == threads + 1
