"""One row of a plan: a method on a model and task, with what its batches ask of the machine."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

import torch

from methods import Adapted, MethodError
from methods.core import Flops
from runners.measure import flops
from runners.measure.forecast import Asks
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.trials import states
from runners.work.reading import Reading, Shape
from runners.work.todo import Todo


@dataclass
class Planned:
    """A row with what its trials are made of."""

    todo: Todo
    adapted: Adapted
    """Without weights."""
    of: Reading
    """What its like reads."""
    peak_bytes: int | None = None
    known: dict[tuple[int, int, float | None], Flops] = field(default_factory=dict)

    @property
    def like(self) -> TrialSpec:
        """One of its trials."""
        return self.todo.like

    @property
    def trained_bytes(self) -> int:
        """Of what trains, in float32."""
        return sum(4 * parameter.numel() for parameter in self.adapted.trained().values())

    def asks(self, shape: Shape) -> Asks:
        """What one batch of a shape asks for."""
        found = self.flops(shape.rows, shape.length, shape.targets)
        return Asks(found.forward_flops, found.training_step_flops - found.forward_flops, self.trained_bytes)

    @property
    def backward_share(self) -> float:
        """FLOPs of a step's backward pass, as a multiple of the forward pass's."""
        asks = self.asks(self.of.training)
        return asks.backward / asks.forward

    def front_share(self, read: Reading) -> float:
        """The share of a forward pass that is computed once for each row; 0 where too much would be kept."""
        if self.like.writes:  # nothing of it is kept
            return 0.0
        found = self.flops(read.training.rows, read.training.length)
        width = self.adapted.sizes.geometry.hidden * torch.float32.itemsize
        selection = read.selection.batches * read.selection.rows * read.selection.length
        kept = (read.distinct * read.training.length + selection) * width
        return found.front_flops / found.forward_flops if kept <= states.MOST_BYTES else 0.0

    def flops(self, rows: int, length: int, targets: float | None = None) -> Flops:
        """In closed form; where there is none, counted.

        Args:
            rows: of the batch.
            length: tokens of each.
            targets: tokens of each that logits are computed for; None for all.
        """
        asked = rows, length, targets
        if asked not in self.known:
            self.known[asked] = self._flops(rows, length, targets)
        return self.known[asked]

    def _flops(self, rows: int, length: int, targets: float | None) -> Flops:
        with contextlib.suppress(MethodError):
            if targets is not None and not self.adapted.anatomy.is_encoder_decoder:
                return flops.of_targets(self.adapted, rows, length, min(targets, length))[0]
            return self.adapted.flops(rows, length)
        count = flops.counted(self.adapted.model, rows, length)
        if count is None:
            raise SpecError(
                f"the FLOPs of {self.like.model!r} can neither be counted without its weights nor derived."
            )
        return count
