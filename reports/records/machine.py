"""On what a record was measured: times are compared within one machine only."""

from __future__ import annotations

from dataclasses import dataclass

from reports import text
from reports.records.schema import Environment


@dataclass(frozen=True)
class Machine:
    """What times depend on."""

    device: str
    name: str
    processes: int
    threads: int | None
    side_by_side: int = 1
    """Trials that were trained on it at once: neighbours take caches and memory, if no cores."""

    @property
    def told(self) -> str:
        """`AMD EPYC 9B14 (cpu), 1 process, 2 threads`, and `, 4 trials at once` where it is more than one."""
        return (
            f"{text.clean(self.name)} ({text.clean(self.device)}), "
            f"{self.processes} {'process' if self.processes == 1 else 'processes'}, "
            f"{text.plural(self.threads, 'thread')}"
            f"{f', {self.side_by_side} trials at once' if self.side_by_side > 1 else ''}"
        )


def machine(where: Environment) -> Machine:
    """The machine that an environment names."""
    return Machine(where.device, where.device_name, where.processes, where.threads, where.side_by_side or 1)
