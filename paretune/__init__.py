"""Paretune in one import: a thin face over `methods`, `tasks`, `runners` and `reports`.

    import paretune

    adapted = paretune.apply(model, "lora", rank=8)
    record = paretune.run_trial(paretune.TrialSpec(model="embedded", task="rotten_tomatoes", method="lora"))
    paretune.tasks.register(paretune.TaskSpec(...))

What it hands out is imported when it is asked for. The four packages are found as ours from here on, whatever
files of their names lie about (`runners/ours.py`).
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import methods as methods
    import reports as reports
    import runners as runners
    import tasks as tasks
    from methods import Method as Method
    from methods import adapted as adapted
    from methods import apply as apply
    from methods import capabilities as capabilities
    from methods import load as load
    from reports import build_site as build_site
    from runners.plan.spec import Protocol as Protocol
    from runners.plan.spec import TrialSpec as TrialSpec
    from runners.plan.study import Study as Study
    from runners.plan.study import parse_study as parse_study
    from runners.plan.study import read_study as read_study
    from runners.trials.trial import run_trial as run_trial
    from runners.work.execute import run_study as run_study
    from tasks import RowsSource as RowsSource
    from tasks import TaskSpec as TaskSpec

_HOMES = {
    **dict.fromkeys(("Method", "adapted", "apply", "capabilities", "load"), "methods"),
    **dict.fromkeys(("RowsSource", "TaskSpec"), "tasks"),
    **dict.fromkeys(("Protocol", "TrialSpec"), "runners.plan.spec"),
    **dict.fromkeys(("Study", "parse_study", "read_study"), "runners.plan.study"),
    "run_trial": "runners.trials.trial",
    "run_study": "runners.work.execute",
    "build_site": "reports",
}
"""What is handed out, by the module that has it."""

_WINGS = ("methods", "tasks", "runners", "reports")

__all__ = ["Method", "Protocol", "RowsSource", "Study", "TaskSpec", "TrialSpec", "adapted", "apply"]
__all__ += ["build_site", "capabilities", "load", "methods", "parse_study", "read_study", "reports"]
__all__ += ["run_study", "run_trial", "runners", "tasks"]


def __getattr__(name: str) -> Any:
    found: Any
    if name in _WINGS:
        found = importlib.import_module(name)
    elif name == "__version__":
        found = _version()
    elif name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found  # the next time it is there
    return found


def _version() -> str:
    """The version that is installed; of a checkout that is not, none is known."""
    from importlib import metadata

    try:
        return metadata.version("paretune")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def find_ours() -> None:
    """Import `runners` from the folder that this package lies in: it sees to the other three.

    Raises:
        ImportError: another module has one of the names already; one sentence that says which file it is.
    """
    home = Path(__file__).parents[1]
    there = sys.modules.get("runners")
    if there is None:
        spec = PathFinder.find_spec("runners", [str(home)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{home / 'runners'} is not there: Paretune is not wholly installed.")
        sys.modules["runners"] = module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules["runners"])
        except BaseException:
            del sys.modules["runners"]
            raise
        return
    place = there.__file__ or next(iter(there.__path__))
    if Path(place).resolve() != (home / "runners" / "__init__.py").resolve():
        raise ImportError(
            f"'runners' is {place} in this process, expected {home / 'runners'}, which that hides: "
            "rename it, or import paretune before it."
        )


find_ours()
