"""Joules, where a counter of the machine tells them; nothing where they would be estimated.

Read are NVML's counter of a card and RAPL's of the processor's packages, by zeus (`pip install
"paretune[energy]"`). A virtual machine has neither as a rule, or one that does not move with the work: what
takes no more power when it is busy than when it is idle is no counter, and is not told.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import torch

Source = Literal["nvml", "rapl"]
IDLE_SECONDS = 1.0
BUSY_SHARE = 1.1
"""Times the idle power that work has to take, for a counter to be believed."""
_WINDOW, _STRETCH = "paretune", "paretune-stretch"


@dataclass(frozen=True)
class Meter:
    """A counter of energy.

    Args:
        source: ``nvml`` of the card, ``rapl`` of all packages: whatever else runs there counts as well.
        monitor: zeus'.
    """

    source: Source
    monitor: Any

    def joules(self, work: Callable[[], object]) -> float:
        """What the machine takes while work is done."""
        self.monitor.begin_window(_WINDOW)
        try:
            work()
        finally:
            found = self.monitor.end_window(_WINDOW)
        return self.read(found)

    def read(self, window: Any) -> float:
        """The joules of one of zeus' windows."""
        told = window.gpu_energy if self.source == "nvml" else window.cpu_energy
        return float(sum((told or {}).values()))

    def idle_watts(self) -> float:
        """What the machine takes while nothing is done."""
        return self.joules(lambda: time.sleep(IDLE_SECONDS)) / IDLE_SECONDS

    def moves(self, work: Callable[[], object]) -> bool:
        """Whether the counter tells work from idleness.

        Args:
            work: that keeps the device busy for about a second.
        """
        idle = self.idle_watts()
        started = time.perf_counter()
        busy = self.joules(work) / (time.perf_counter() - started)
        return busy > BUSY_SHARE * idle


@dataclass
class Tally:
    """Joules of work that is done in stretches, with other things between them.

    Args:
        meter: what counts; without one nothing is told.
        idle_watts: of the machine before the work.
    """

    meter: Meter | None = None
    idle_watts: float = 0.0
    joules: float = 0.0
    seconds: float = 0.0
    _open: bool = False

    @classmethod
    def of(cls, device: torch.device) -> Tally:
        """One of a device, which is idle for a second if anything counts."""
        found = meter(device)
        return cls(found, found.idle_watts()) if found else cls()

    def begin(self) -> None:
        """A stretch begins, if none has; the device is waited for."""
        if self.meter is not None and not self._open:
            self.meter.monitor.begin_window(_STRETCH)
            self._open = True

    def end(self) -> None:
        """It ends, where one has begun; the device is waited for."""
        if self.meter is not None and self._open:
            found = self.meter.monitor.end_window(_STRETCH)
            self.joules += self.meter.read(found)
            self.seconds += found.time
            self._open = False

    def state(self) -> tuple[Source, float, float] | None:
        """What a snapshot of the work keeps."""
        return (self.meter.source, self.joules, self.seconds) if self.meter else None

    def restore(self, saved: tuple[Source, float, float] | None) -> None:
        """Go on from what :meth:`state` returned; nothing is told if that was not counted, or otherwise."""
        if saved is None or self.meter is None or saved[0] != self.meter.source:
            self.meter = None
        else:
            _, self.joules, self.seconds = saved

    @property
    def told(self) -> tuple[Source, float] | None:
        """All joules; None where nothing counts, or work took no more power than idleness."""
        if self.meter is None or self.seconds == 0:
            return None
        moved = self.joules / self.seconds > BUSY_SHARE * self.idle_watts
        return (self.meter.source, self.joules) if moved else None


def meter(device: torch.device) -> Meter | None:
    """The counter of a device; None where zeus is not installed or finds none that counts."""
    with redirect_stdout(sys.stderr):  # amdsmi, which zeus tries, prints that it finds no library
        return _found(device)


def _found(device: torch.device) -> Meter | None:
    try:
        from zeus.exception import ZeusBaseError
        from zeus.monitor import ZeusMonitor
    except ImportError:
        return None
    try:
        if device.type == "cuda":
            card = device.index or 0
            monitor = ZeusMonitor(gpu_indices=[card], cpu_indices=[])
            counts = monitor.gpus.supports_get_total_energy_consumption(card)  # else it samples the power
            return Meter("nvml", monitor) if counts else None
        monitor = ZeusMonitor(gpu_indices=[])
        return Meter("rapl", monitor) if len(monitor.cpus) else None
    except (ZeusBaseError, OSError):
        return None
