from __future__ import annotations

import math
import random
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from runners import device, optimisation
from runners.plan.evaluations import evaluation_steps
from runners.plan.spec import Protocol
from runners.trials import loop
from runners.trials.scoring import Score


class Line(nn.Module):
    """y = w x on scalars, with a squared loss: small enough to follow by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1, 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
    ) -> SimpleNamespace:
        out = input_ids.float() * self.w.squeeze() + self.bias
        return SimpleNamespace(loss=(out.mean(dim=1) - labels).pow(2).mean())


def loader(steps: int, label: float = 1.0) -> list[dict[str, torch.Tensor]]:
    ids, mask = torch.ones(4, 5), torch.ones(4, 5, dtype=torch.long)
    mask[0, 3:] = 0
    return [
        {"input_ids": ids, "attention_mask": mask, "labels": torch.full((4,), label)} for _ in range(steps)
    ]


def fit(
    scores: list[float],
    steps: int,
    evaluate_every: int,
    model: Line | None = None,
    draw: Callable[[], object] = list,
) -> tuple[loop.Trained, Line, list[float]]:
    model, seen = model or Line(), list[float]()
    given = iter(scores)

    def evaluate() -> Score:
        assert torch.is_grad_enabled()
        seen.append(float(model.w.detach()))
        draw()
        return {"m": next(given)}

    result = loop.fit(
        device.accelerator(),
        model,
        dict(model.named_parameters()),
        lambda done: loader(steps),
        steps,
        Protocol(steps=steps, learning_rate=0.1, weight_decay=0.0),
        evaluation_steps(evaluate_every, steps, 4, 4),
        evaluate=evaluate,
        main_metric=lambda score: -math.inf if score["m"] is None else score["m"],
        watch=lambda progress: None,
    )
    return result, model, seen


def test_evaluates_at_the_interval_and_at_the_end() -> None:
    result, _, _ = fit([0.1, 0.2, 0.3], 10, evaluate_every=4)
    assert [point.step for point in result.curve] == [4, 8, 10]
    assert all(point.train_loss is not None for point in result.curve)


def test_restores_the_best_weights() -> None:
    result, model, seen = fit([0.1, 0.9, 0.3], 9, evaluate_every=3)
    assert result.best_step == 6
    assert result.best == {"m": 0.9}
    assert float(model.w.detach()) == seen[1] != seen[2]


def test_the_first_of_equal_scores_wins_and_undefined_ones_never() -> None:
    assert fit([0.5, 0.5], 6, evaluate_every=3)[0].best_step == 3
    assert fit([None, 0.1, None], 9, evaluate_every=3)[0].best_step == 6  # type: ignore[list-item]
    assert fit([None, None], 6, evaluate_every=3)[0].best_step == 3  # type: ignore[list-item]


class Dropped(Line):
    """The same with dropout, which draws."""

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
    ) -> SimpleNamespace:
        return super().forward(
            nn.functional.dropout(input_ids, training=self.training), attention_mask, labels
        )


@pytest.mark.parametrize("evaluate_every", [1, 2, 3])
def test_how_often_it_is_scored_moves_no_weight(evaluate_every: int) -> None:
    """Scoring draws, whatever it does: a loader of torch takes a number when it is gone through."""

    def draw() -> object:
        return [*DataLoader(range(3)), np.random.rand(), random.random()]

    trained = []
    for every in (8, evaluate_every):
        device.seed_everything(0)
        _, model, seen = fit([0.1 * step for step in range(9)], 8, every, Dropped(), draw)
        trained.append(float(model.w.detach()))
    assert trained[0] == trained[1] == seen[-1]


def test_counts_examples_and_padding() -> None:
    result, _, _ = fit([0.0], 5, evaluate_every=5)
    assert result.examples == 20
    assert result.padding_share == pytest.approx(2 / 20)
    assert result.to_record().seconds > 0


def test_rate_rises_and_falls_linearly_and_no_step_has_none() -> None:
    model = Line()
    optimiser = optimisation.optimizer(dict(model.named_parameters()), 1.0, 0.01)
    schedule = optimisation.warmed_up(optimiser, 2, 10)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert min(rates) > 0
    assert rates[-1] == pytest.approx(1 / 8)


def test_a_loss_that_is_not_finite_ends_training() -> None:
    model = Line()
    with pytest.raises(loop.DivergenceError, match="not finite by step 10 of 20"):
        loop.fit(
            device.accelerator(),
            model,
            dict(model.named_parameters()),
            lambda done: loader(20, label=math.inf),
            20,
            Protocol(learning_rate=0.1),
            evaluate_at=[20],
            evaluate=lambda: {"m": 0.0},
            main_metric=lambda score: 0.0,
            watch=lambda progress: None,
        )


def test_a_parameter_may_have_a_rate_of_its_own() -> None:
    """An AdamW step from zero is the rate long, whatever the gradient; the schedule is for all."""
    model = Line()
    loop.fit(
        device.accelerator(),
        model,
        dict(model.named_parameters()),
        lambda done: loader(2),
        2,
        Protocol(steps=2, learning_rate=0.01, weight_decay=0.0, warmup_share=0.0),
        evaluate_at=[1, 2],
        evaluate=lambda: {"m": float(model.w.detach())},
        main_metric=lambda score: -float(score["m"] or 0),  # the first step is the best
        watch=lambda progress: None,
        rates={"bias": 3.0},
    )
    assert float(model.w.detach()) == pytest.approx(0.01, rel=1e-4)
    assert float(model.bias.detach()) == pytest.approx(0.03, rel=1e-4)


def test_biases_and_norms_do_not_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    groups = optimisation.optimizer(dict(model.named_parameters()), 1.0, 0.01).param_groups
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(1, 0.01), (3, 0.0)]


def test_gradients_are_clipped_over_all_parameters_together() -> None:
    model = Line()
    accelerator = device.accelerator()
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    optimisation.training_step(accelerator, model, optimiser, loader(1, label=100.0)[0], clip=1.0)
    assert torch.cat([p.detach().flatten() for p in model.parameters()]).norm() == pytest.approx(
        1.0, rel=1e-4
    )
