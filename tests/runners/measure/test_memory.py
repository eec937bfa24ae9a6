"""Peak memory on cases small enough to count by hand, and against torch's own allocator events."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from runners.measure import memory
from runners.measure.memory import Split, TensorTracker, measure_peak

FLOAT = 4  # bytes


def _peak(work, live=()):
    model = nn.Module()
    for number, tensor in enumerate(live):
        model.register_buffer(str(number), tensor)
    with TensorTracker(model, "cpu") as tracker:
        result = work()
    return tracker.peak_bytes, tracker.current_bytes, result


def test_one_product():
    a, b = torch.ones(8, 16), torch.ones(16, 4)
    peak, current, _product = _peak(lambda: a @ b)
    assert peak == current == (8 * 16 + 16 * 4 + 8 * 4) * FLOAT  # operands are touched, so counted


def test_a_freed_temporary_leaves_the_current_figure_but_not_the_peak():
    def work():
        x = torch.ones(100)
        y = x + 1
        del x
        return y * 2  # y and the product; x is gone

    peak, current, _kept = _peak(work)
    assert (peak, current) == (200 * FLOAT, 100 * FLOAT)


def test_views_and_in_place_operators_add_nothing():
    def work():
        x = torch.zeros(6, 10)
        views = [x.view(60), x[2:], x.t(), x.detach(), x.unsqueeze(0).expand(5, 6, 10)]
        x.add_(1).relu_()
        return views

    assert _peak(work)[:2] == (60 * FLOAT, 60 * FLOAT)


def test_a_view_keeps_its_whole_storage():
    peak, current, _row = _peak(lambda: torch.zeros(50, 10)[0])
    assert peak == current == 500 * FLOAT


def test_tensors_never_touched_are_not_counted():
    snapshot = torch.zeros(1000)
    live = torch.zeros(10)
    assert _peak(lambda: live + 1, [live])[0] == 20 * FLOAT
    assert snapshot.sum() == 0


def test_a_tensor_from_before_counts_once_and_from_the_start():
    old = torch.zeros(30)

    def work():
        large = torch.zeros(100)
        del large
        return old + old

    assert _peak(work)[:2] == (130 * FLOAT, 60 * FLOAT)


def test_a_tensor_from_before_that_is_freed_is_subtracted():
    holder = [torch.zeros(100)]

    def work():
        total = holder[0].sum(0, keepdim=True)
        holder.clear()
        return torch.zeros(50), total

    assert _peak(work)[:2] == (101 * FLOAT, 51 * FLOAT)


def test_a_tensor_of_python_data_counts_while_it_lives():
    def work():
        for _ in range(5):
            torch.tensor([1.0] * 10)

    peak, current, _ = _peak(work)
    assert (peak, current) == (10 * FLOAT, 0)


def test_a_resized_tensor_counts_with_its_new_size():
    peak, current, _x = _peak(lambda: torch.zeros(10).resize_(40))
    assert peak == current == 40 * FLOAT


def test_lists_of_tensors_are_followed():
    xs = [torch.ones(10), torch.ones(20)]
    peak, _, _ys = _peak(lambda: torch._foreach_mul(xs, 2.0), xs)
    assert peak == 60 * FLOAT


def test_other_devices_are_not_counted():
    peak, _, _x = _peak(lambda: torch.zeros(10, device="meta") + 1)
    assert peak == 0


def _linear_step(model, optimizer, x):
    def step():
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    return step


def test_sgd_step_of_a_linear_layer_by_hand():
    model, x = nn.Linear(16, 8, bias=False), torch.ones(32, 16)
    step = _linear_step(model, torch.optim.SGD(model.parameters(), foreach=False), x)
    # Largest at the end of forward: weight, input, output and the sum. Backward needs no output (a sum
    # saves none), and the gradient of the output is one number, expanded.
    peak = measure_peak(step, model, "cpu")
    assert peak.peak_bytes == (16 * 8 + 32 * 16 + 32 * 8 + 1) * FLOAT
    assert peak.split == Split(
        parameters_bytes=16 * 8 * FLOAT,
        gradients_bytes=0,  # given back before the forward pass
        optimizer_bytes=0,
        activations_bytes=32 * 16 * FLOAT,  # the input, for the gradient of the weight
        temporary_bytes=(32 * 8 + 1) * FLOAT,
    )
    assert peak.method == "tensors"


@pytest.mark.parametrize("foreach", [False, True])
def test_adamw_holds_four_copies_of_what_trains(foreach):
    """Weight, gradient and two moments; with a tiny batch little else (the update's temporaries)."""
    model = nn.Linear(256, 256, bias=False)
    step = _linear_step(model, torch.optim.AdamW(model.parameters(), foreach=foreach), torch.ones(1, 256))
    peak = measure_peak(step, model, "cpu")
    weight = 256 * 256 * FLOAT
    assert peak.split.parameters_bytes == peak.split.gradients_bytes == weight
    assert peak.split.optimizer_bytes == 2 * weight + FLOAT  # two moments and the number of steps
    assert 1 <= peak.split.temporary_bytes / weight < 2.1


def test_state_made_by_the_update_that_is_the_peak_is_no_temporary():
    model = nn.Linear(256, 256, bias=False)
    step = _linear_step(model, torch.optim.AdamW(model.parameters()), torch.ones(1, 256))
    split = measure_peak(step, model, "cpu", steps=1).split
    assert split.optimizer_bytes == 2 * 256 * 256 * FLOAT + FLOAT


def test_what_is_saved_only_after_the_peak_is_an_activation_all_the_same():
    """The output of exp is the peak when it is made, and autograd saves it at the end of the operator."""
    model = nn.Linear(10, 10, bias=False)
    x = torch.ones(50, 10)

    def step():
        model(x).exp().sum().backward()
        model.zero_grad()

    split = measure_peak(step, model, "cpu", steps=1).split
    assert split.activations_bytes == (500 + 500) * FLOAT  # x, and what exp returned


def test_a_storage_is_of_one_kind_the_first_that_applies():
    """A weight that autograd saves is a parameter; a kept gradient stays one; all adds up to the peak."""
    model = nn.Sequential(nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 40))
    x = torch.ones(200, 40)

    def step():  # gradients are not given back
        model(x).sum().backward()

    peak = measure_peak(step, model, "cpu")
    size = 2 * (40 * 40 + 40) * FLOAT
    assert (peak.split.parameters_bytes, peak.split.gradients_bytes) == (size, size)
    assert peak.split.activations_bytes == 2 * 200 * 40 * FLOAT  # x and what tanh returned
    assert peak.split.total_bytes == peak.peak_bytes


def test_gradients_from_before_are_gradients():
    model, x = nn.Linear(16, 8, bias=False), torch.ones(32, 16)
    model.weight.grad = torch.zeros(8, 16)
    split = measure_peak(lambda: model(x).sum().backward(), model, "cpu", steps=1).split
    assert split.gradients_bytes == 16 * 8 * FLOAT


def test_without_gradients_there_are_weights_and_temporaries():
    model, x = nn.Linear(16, 8), torch.ones(32, 16)
    with torch.no_grad():
        split = measure_peak(lambda: model(x), model, "cpu", steps=1).split
    assert split == Split((16 * 8 + 8) * FLOAT, 0, 0, 0, 32 * (16 + 8) * FLOAT)


def test_no_hook_is_left_behind():
    model, x = nn.Linear(16, 8), torch.ones(32, 16)
    optimizer = torch.optim.SGD(model.parameters())
    with TensorTracker(model, "cpu") as tracker:
        pass
    _linear_step(model, optimizer, x)()
    assert tracker.peak == Split((16 * 8 + 8) * FLOAT, 0, 0, 0, 0)
    assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())


def test_the_second_step_shows_state_and_activations_together():
    model, x = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64)), torch.ones(500, 64)

    def peak(steps):
        step = _linear_step(model, torch.optim.AdamW(model.parameters()), x)
        return measure_peak(step, model, "cpu", steps=steps).peak_bytes

    state = 2 * sum(parameter.nbytes for parameter in model.parameters())
    assert peak(2) - peak(1) == pytest.approx(state, rel=0.02)
    assert peak(3) == peak(2)


def test_an_optimiser_that_has_stepped_before_is_counted_with_its_state():
    model, x = nn.Linear(64, 64), torch.ones(500, 64)
    step = _linear_step(model, torch.optim.AdamW(model.parameters()), x)
    first = measure_peak(step, model, "cpu").peak_bytes
    assert measure_peak(step, model, "cpu").peak_bytes == pytest.approx(first, rel=0.001)


def test_tied_weights_count_once():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.detach())  # another parameter on the same storage
    with TensorTracker(model, "cpu") as tracker:
        pass
    assert tracker.peak.parameters_bytes == tracker.peak_bytes == 40 * FLOAT


class Encoder(nn.Module):
    """Two attention blocks and a head, with dropout: every kind of saved activation."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 32)
        self.body = nn.ModuleList(
            nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True) for _ in range(2)
        )
        self.head = nn.Linear(32, 2)

    def forward(self, ids):
        x = self.embedding(ids)
        for block in self.body:
            x = block(x)
        return self.head(x[:, 0])


def _encoder_step(model):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    ids, labels = torch.randint(0, 100, (8, 16)), torch.randint(0, 2, (8,))

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(ids), labels).backward()
        optimizer.step()

    return step, ids, labels


def _frozen_body():
    model = Encoder()
    model.embedding.requires_grad_(False)
    model.body.requires_grad_(False)
    return model


def _biases():
    model = Encoder()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.endswith("bias"))
    return model


def test_what_trains_less_needs_less():
    full, biases, frozen = (
        measure_peak(_encoder_step(model)[0], model, "cpu").peak_bytes
        for model in (Encoder(), _biases(), _frozen_body())
    )
    assert full > biases > frozen > sum(parameter.nbytes for parameter in Encoder().parameters())


@pytest.mark.parametrize("build", [Encoder, _biases])
def test_agrees_with_the_allocator(build, tmp_path):
    """The profiler sees every allocation; within 1 % of it, on the same steps of an equal model."""
    model = build()
    tracked = measure_peak(_encoder_step(model)[0], model, "cpu").peak_bytes

    model = build()
    step, ids, labels = _encoder_step(model)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as events:
        step()
        step()
    trace = tmp_path / "trace.json"
    events.export_chrome_trace(str(trace))
    allocations = [e for e in json.loads(trace.read_text())["traceEvents"] if e.get("name") == "[memory]"]
    current = peak = sum(p.nbytes for p in model.parameters()) + ids.nbytes + labels.nbytes
    for event in sorted(allocations, key=lambda e: e["ts"]):
        current += event["args"]["Bytes"]
        peak = max(peak, current)
    assert tracked == pytest.approx(peak, rel=0.01)


def test_measuring_changes_no_result():
    """The tracker only looks: two steps under it end in the same weights as two without it."""
    ends = []
    for tracked in (True, False):
        torch.manual_seed(0)
        model = Encoder()
        step, *_ = _encoder_step(model)
        if tracked:
            measure_peak(step, model, "cpu")
        else:
            step()
            step()
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_cuda_asks_the_allocator_after_a_reset(monkeypatch):
    seen = []
    cuda = SimpleNamespace(
        synchronize=lambda device: seen.append("synchronize"),
        reset_peak_memory_stats=lambda device: seen.append("reset"),
        max_memory_allocated=lambda device: 12345 if device == torch.device("cuda:1") else 0,
    )
    monkeypatch.setattr(memory.torch, "cuda", cuda)
    peak = measure_peak(lambda: seen.append("step"), nn.Linear(2, 2), "cuda:1")
    assert seen == ["synchronize", "reset", "step", "step", "synchronize"]
    # The model is not on that device: all that the allocator reports is of no kind that was tracked.
    assert peak == memory.PeakMemory(12345, Split(0, 0, 0, 0, 12345), "cuda_allocator")


def test_an_error_in_a_step_comes_through_and_ends_tracking():
    def step():
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        measure_peak(step, nn.Linear(2, 2), "cpu")
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        measure_peak(step, nn.Linear(2, 2), "cpu", steps=0)


def test_to_record():
    peak = memory.PeakMemory(100, Split(60, 10, 10, 10, 10), "tensors")
    inference = memory.PeakMemory(70, Split(60, 0, 0, 0, 10), "tensors")
    record = peak.to_record(inference, batch_size=32, sequence_length=128, best_weights=7)
    assert (record.peak_training_bytes, record.parameters_bytes) == (100, 60)
    assert (record.activations_bytes, record.peak_inference_bytes) == (10, 70)
    assert record.best_weights_bytes == 7
    assert (record.method, record.batch_size, record.sequence_length) == ("tensors", 32, 128)
