"""Jobs done here: those of the smallest number first, among equals in the order given."""

from __future__ import annotations

from typing import Any

from runners.executors.local import Local
from runners.plan.spec import TrialSpec
from runners.trials.jobs import Job


class Quiet:
    """A listener that hears nothing."""

    def started(self) -> None: ...

    def progress(self, progress: Any) -> None: ...

    def scored(self, record: Any) -> None: ...

    def say(self, line: str) -> None: ...


def test_what_is_first_in_order_is_done_first(tiny_model: str) -> None:
    done: list[int] = []

    def run(spec: TrialSpec, **rest: Any) -> Any:
        done.append(spec.seed)

    executor = Local(run)
    for seed, order in enumerate((1, 0, 1, 0)):
        spec = TrialSpec(model=tiny_model, task="cola", method="head", seed=seed)
        executor.submit(Job(spec, order=order), Quiet())
    assert [executor.next()[0].spec.seed for _ in range(4)] == [1, 3, 0, 2] == done
