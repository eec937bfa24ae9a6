"""One step of training: the optimiser that every method has, and what it does with a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from runners import device, processes

IGNORED: Final = -100
"""The label of a token that is not trained on, as transformers has it."""


def optimizer(
    trained: Mapping[str, nn.Parameter],
    learning_rate: float,
    weight_decay: float,
    rates: Mapping[str, float] | None = None,
) -> torch.optim.AdamW:
    """AdamW; matrices decay, biases and normalisation weights (one dimension) do not.

    Args:
        trained: the parameters by name.
        learning_rate: of the run.
        weight_decay: of matrices.
        rates: multiples of the run's rate for those that have one of their own, by name.
    """
    rates, groups = rates or {}, []
    for rate in dict.fromkeys([1.0, *rates.values()]):
        own = [p for name, p in trained.items() if rates.get(name, 1.0) == rate]
        shared = {"lr": rate * learning_rate}
        groups += [
            {"params": [p for p in own if p.ndim > 1], "weight_decay": weight_decay, **shared},
            {"params": [p for p in own if p.ndim <= 1], "weight_decay": 0.0, **shared},
        ]
    groups = [group for group in groups if group["params"]]
    fused = all(map(device.fuses, trained.values()))
    return torch.optim.AdamW(groups, lr=learning_rate, fused=fused)


def implementation(made: torch.optim.AdamW) -> str:
    """How the update is computed: it decides the working memory that it takes.

    ``fused`` takes none, ``foreach`` a copy of all trained weights, ``for_loop`` a few of the largest tensor.
    """
    if made.defaults["fused"]:
        return "fused"
    parameters = [p for group in made.param_groups for p in group["params"]]
    return "foreach" if all(p.device.type != "cpu" for p in parameters) else "for_loop"


def warmed_up(made: torch.optim.Optimizer, warmup: int, steps: int) -> LambdaLR:
    """A rate that rises over the warm-up and falls to zero, linearly; no step of the ``steps`` has rate zero.

    Step k (from 1) of the warm-up has k / (warmup + 1) of the peak; the one after the last would have none.
    """

    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return max(0.0, (steps - step) / max(1, steps - warmup))

    return LambdaLR(made, share)


def scaler(precision: str, device: torch.device) -> torch.amp.GradScaler | None:
    """What keeps small gradients from vanishing in float16: the loss is scaled up and gradients down again.

    A step whose gradients overflow updates nothing and halves the scale. None in any other precision.
    """
    return torch.amp.GradScaler(device.type) if precision == "float16" else None


def updates(made: torch.optim.AdamW) -> int:
    """How many updates the parameters have had: fewer than steps where float16 overflowed."""
    return max((int(state["step"]) for state in made.state.values()), default=0)


def training_step(
    accelerator: Accelerator,
    model: nn.Module,
    optimiser: Any,
    batch: Any,
    clip: float,
    *,
    together: bool = False,
    micro_batch: int | None = None,
    scaling: torch.amp.GradScaler | None = None,
) -> Tensor:
    """Forward, backward, clip, update; return the loss, detached and not yet waited for.

    Args:
        accelerator: holds the device.
        model: returns an object with a ``loss``, the mean over the rows of what it is called with, or over
            the tokens of them that are labelled (:func:`terms`).
        optimiser: of the trained parameters, as the accelerator prepared it, or plain.
        batch: as tensors on the device; of several processes each has its share, which may be empty.
        clip: largest norm of the gradient.
        together: whether all processes take this step; else it is this one's alone.
        micro_batch: rows that are computed at once; the gradients add up to those of the whole batch.
        scaling: see :func:`scaler`.

    Raises:
        PeerError: another process could not take the step.
    """
    loss: Tensor | None = None
    for part, share in parts(batch, micro_batch):
        own = model(**part).loss
        if share != 1:
            own = own * share
        accelerator.backward(own if scaling is None else scaling.scale(own))
        loss = own.detach() if loss is None else loss + own.detach()
        del own  # or the graph of this part would be alive during the next
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    if together:
        loss = processes.averaged(parameters, loss, terms(batch) if batch and processes.count() > 1 else 0)
    plain = getattr(optimiser, "optimizer", optimiser)
    if scaling is not None:  # behind the average: what is not finite in one process is so in all
        scaling.unscale_(plain)
    accelerator.clip_grad_norm_(parameters, clip)
    if scaling is None:
        optimiser.step()
    else:
        scaling.step(plain)
        scaling.update()
    optimiser.zero_grad(set_to_none=True)
    assert loss is not None  # of all processes at least the first has rows
    return loss


def parts(batch: Mapping[str, Tensor], rows: int | None) -> Iterator[tuple[Mapping[str, Tensor], float]]:
    """What is computed at once: rows of the batch, and their share of its loss; nothing of an empty one."""
    if not batch:
        return
    every = len(next(iter(batch.values())))
    rows = rows or every
    if rows >= every:
        yield batch, 1
        return
    whole = terms(batch)
    for start in range(0, every, rows):
        part = {name: value[start : start + rows] for name, value in batch.items()}
        if (share := terms(part) / whole) > 0:  # the mean over nothing is no number
            yield part, share


def terms(batch: Mapping[str, Tensor]) -> int:
    """Over how many labels the loss of a batch is a mean: its rows, or the tokens that are labelled."""
    labels = batch.get("labels")
    if labels is None or labels.ndim < 2:
        return len(next(iter(batch.values())))
    return int((labels != IGNORED).sum())
