"""Agreement of a method with a reference, and its record in the test report.

`pytest --junitxml=FILE` writes for every such test the properties `reference`, `method`, `case` and
`deviation`, the largest absolute difference over all that was compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

LIMIT = 1e-10
"""Largest absolute deviation from a reference, in float64."""

Record = Callable[[str, object], None]
"""pytest's `record_property`."""


def deviation(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The largest absolute difference between the tensors of any pair."""
    return max(float((ours - theirs).detach().abs().max()) for ours, theirs in pairs)


def agree(
    record: Record, reference: str, method: str, case: str, pairs: Iterable[tuple[Tensor, Tensor]]
) -> None:
    """Record how far ours are from theirs; every pair must agree to :data:`LIMIT`."""
    pairs = list(pairs)
    for name, value in (("reference", reference), ("method", method), ("case", case)):
        record(name, value)
    record("deviation", deviation(pairs))
    for ours, theirs in pairs:
        assert ours.dtype == torch.float64
        torch.testing.assert_close(ours, theirs, rtol=0.0, atol=LIMIT)
