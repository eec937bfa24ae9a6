"""When a training is interrupted to score the selection split: a share of the work, whatever the sizes."""

from __future__ import annotations

from typing import Final

SHARE: Final = 10
"""Evaluations may cost one part in so many of the training."""
STEP: Final = 3
"""Forward passes that one training example is worth: its own and a backward pass of two. Where the body is
frozen they are two (methods/core/flops.py), and count alike, so that all methods are scored as often."""
MOST: Final = 10
"""Evaluations of one training: more say little of where it was best."""


def evaluation_steps(every: int | None, steps: int, examples: int, rows: int) -> list[int]:
    """The steps after which the selection split is scored; the last step is always one of them.

    Args:
        every: steps between two of them; None spaces as many evenly as cost a tenth of the training, at least
            one and at most :data:`MOST`. A row that is scored counts as a forward pass, an example that is
            trained on as three; no clock is asked, so that a trial has the same points on every machine.
        steps: of the whole training.
        examples: of a step.
        rows: of the selection split, as far as it is scored.
    """
    if every is not None:
        return sorted({*range(every, steps + 1, every), steps})
    affordable = STEP * steps * examples // (SHARE * max(1, rows))
    count = max(1, min(affordable, MOST, steps))
    return [number * steps // count for number in range(1, count + 1)]
