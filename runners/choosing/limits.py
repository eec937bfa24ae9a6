"""What a reader can afford, as it is typed: ``8GB``, ``1%`` of the base, ``1M``, a ratio of times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reports import text
from reports.stats.front import PARAMETERS
from runners.plan.errors import SpecError

BYTES: Final[Mapping[str, int]] = {
    **{"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12},
    **{"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40},
}
COUNTS: Final[Mapping[str, int]] = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
MEMORY, STORAGE, LATENCY, MERGED = "memory", "storage", "latency", "merged"
"""Names of costs, as ``reports.stats.front`` has them, beside parameters."""


@dataclass(frozen=True)
class Limits:
    """The most of each cost; None where nothing limits it."""

    memory: int | None = None
    """Bytes at the peak of training."""
    latency: float | None = None
    """Time of a pass, as a multiple of the untouched base's."""
    parameters: int | None = None
    """Trained ones, method and head."""
    share: float | None = None
    """The same as a share of the base."""
    storage: int | None = None
    """Bytes of a checkpoint."""
    merge_allowed: bool = False
    """Whether latency is that of the merged model where a method merges."""

    @classmethod
    def parse(
        cls,
        *,
        memory: str | None = None,
        latency: str | None = None,
        params: str | None = None,
        checkpoint: str | None = None,
        merge_allowed: bool = False,
    ) -> Limits:
        """Read what was typed.

        Raises:
            SpecError: it cannot be read; one sentence.
        """
        share = None if params is None else _share(params)
        return cls(
            memory=None if memory is None else size("--max-memory", memory),
            latency=None if latency is None else _ratio(latency),
            parameters=None if params is None or share is not None else number("--max-params", params),
            share=share,
            storage=None if checkpoint is None else size("--max-checkpoint", checkpoint),
            merge_allowed=merge_allowed,
        )

    def of(self, base: int) -> dict[str, float]:
        """The limits by the names of costs.

        Args:
            base: parameters of the model.
        """
        parameters = self.parameters if self.share is None else self.share * base
        found = {
            PARAMETERS: parameters,
            MEMORY: self.memory,
            STORAGE: self.storage,
            MERGED if self.merge_allowed else LATENCY: self.latency,
        }
        return {name: float(most) for name, most in found.items() if most is not None}


def size(option: str, typed: str) -> int:
    """Read an amount of bytes, such as ``8GB``, ``900 MB`` or ``5MiB``.

    Raises:
        SpecError: it is none; one sentence.
    """
    amount, unit = _split(typed)
    if amount is None or not amount or unit not in BYTES:
        raise SpecError(f"received {option} {typed!r}, expected an amount of bytes, such as 8GB or 900MB.")
    return round(amount * BYTES[unit])


def number(option: str, typed: str) -> int:
    """Read a count, such as ``74498``, ``300k`` or ``1M``.

    Raises:
        SpecError: it is none; one sentence.
    """
    amount, unit = _split(typed.replace(",", ""))
    if amount is None or unit not in COUNTS or amount * COUNTS[unit] < 1:
        raise SpecError(
            f"received {option} {typed!r}, expected a count or a share of the base, such as 300k, 1M or 1%."
        )
    return round(amount * COUNTS[unit])


def told(name: str, value: float | None, beside: float | None = None) -> str:
    """A cost or limit as people read it; with more digits where it would look like what it stands beside."""
    if value is None:
        return text.MISSING
    if beside is not None and value != beside and told(name, value) == told(name, beside):
        return f"{value:,.0f}" if name not in (LATENCY, MERGED) else f"×{value:.4f}"
    if name in (MEMORY, STORAGE):
        return text.size(round(value))
    return short(round(value)) if name == PARAMETERS else f"×{value:.2f}"


def short(value: int) -> str:
    """A count in three digits: `22.7 M`, `303 k`, `770`."""
    return text.size(value).replace(" B", "").replace("kB", "k").removesuffix("B").replace("G", "B")


def _share(typed: str) -> float | None:
    """A percentage as a fraction; None where it is not one at all."""
    if not typed.strip().endswith("%"):
        return None
    amount, unit = _split(typed.strip().removesuffix("%"))
    if not amount or unit:
        raise SpecError(f"received --max-params {typed!r}, expected a share above 0 %, such as 1%.")
    return amount / 100


def _ratio(typed: str) -> float:
    amount, unit = _split(typed.strip().removeprefix("×").removeprefix("x"))
    if amount is None or unit or not 0.5 <= amount <= 1000:
        raise SpecError(
            f"received --max-latency {typed!r}, expected a multiple of the untouched base's time, such as "
            "1.05 for 5 % more."
        )
    return amount


def _split(typed: str) -> tuple[float | None, str]:
    """The number and the unit, in small letters; no number where it is not written so."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z]*)\s*", typed)
    return (float(found[1]), found[2].lower()) if found and len(found[1]) < 20 else (None, "")
