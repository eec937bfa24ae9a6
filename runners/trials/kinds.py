"""Which kind of trial a task makes."""

from __future__ import annotations

from runners.plan.spec import TrialSpec
from runners.trials.kind import Kind
from runners.trials.labelled import Labelled
from runners.trials.tagged import Tagged
from runners.trials.worded import Worded
from runners.trials.written import Written


def of(spec: TrialSpec) -> type[Kind]:
    """The kind of a trial."""
    if not spec.writes:
        return Tagged if spec.declared.is_tagged else Labelled
    return Written if spec.declared.problem_type == "generation" else Worded
