"""The trial's latency and the comparison of a whole model, by a synthetic clock and for real."""

import pytest
import torch
from torch import nn

from runners.measure import latency, timing


class Toy(nn.Module):
    """Takes what a classifier takes; costs what it is told; ties two of its weights."""

    def __init__(self, clock, cost):
        super().__init__()
        self.call = clock.contender(cost, cost)
        self.embedding = nn.Embedding(10, 4)
        self.decoder = nn.Linear(4, 10, bias=False)
        self.decoder.weight = self.embedding.weight
        self.register_buffer("positions", torch.arange(6))
        self.eval()

    def forward(self, input_ids, attention_mask):
        assert input_ids.shape == attention_mask.shape
        self.call()
        return self.decoder(self.embedding(input_ids))


def _trial(models, **options):
    inputs = {"input_ids": torch.ones(2, 6, dtype=torch.long), "attention_mask": torch.ones(2, 6)}
    return latency.trial_latency(
        *models,
        inputs,
        device="cpu",
        rounds=9,
        seed=0,
        max_input_length=20,
        merge_logit_difference=None,
        **options,
    )


def test_trial_latency_fills_the_schema(clock):
    ms = timing.NS_PER_MS
    result = _trial([Toy(clock, cost * ms) for cost in (10, 10, 12, 10)])
    assert (result.batch_size, result.sequence_length, result.rounds) == (2, 6, 9)
    assert result.base_ms_p50 == 10
    assert (result.control.ratio, result.unmerged.ratio, result.merged.ratio) == (1, 1.2, 1)
    assert result.unmerged.latency_ms_p50 == 12


def test_trial_latency_of_a_method_that_cannot_merge(clock):
    assert _trial([Toy(clock, 10), Toy(clock, 10), Toy(clock, 12), None]).merged is None


def test_trial_latency_refuses_a_model_in_training_mode(clock):
    models = [Toy(clock, 10), Toy(clock, 10), Toy(clock, 12), None]
    models[2].decoder.train()
    with pytest.raises(ValueError, match="the unmerged model is not in eval mode"):
        _trial(models)


def test_every_timed_call_follows_an_untimed_one_of_the_same_model(clock):
    _trial([Toy(clock, cost) for cost in (1, 2, 3, 4)], warmup=2)
    assert len(clock.calls) == 2 * 4 * (2 + 9)
    assert clock.calls[::2] == clock.calls[1::2]
    assert len({tuple(clock.calls[i : i + 8]) for i in range(0, len(clock.calls), 8)}) > 1  # orders


def test_settling_moves_weights_and_changes_none(clock):
    model = Toy(clock, 10)
    before = {name: (tensor.clone(), tensor.data_ptr()) for name, tensor in model.state_dict().items()}
    parameters = list(model.parameters())
    latency.settle(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name][0])
        assert tensor.data_ptr() != before[name][1]
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert model.decoder.weight is model.embedding.weight
    assert not model.decoder.weight.is_inference()
