"""What other packages and scripts bring: found late, told apart, and never in the way of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tasks
from tasks.registry import Registry

ROOT = Path(__file__).parents[2]

EXTRA = """
from methods import Method
from methods.core import Card, LogUniform, NoOptions, SearchSpace, Work, at
from tasks import RowsSource, TaskSpec
from tasks.spec import ACCURACY

def rows(split):
    return [{"text": f"{split} {i}", "label": i % 2} for i in range(8)]

def task(name):
    return TaskSpec(
        *(name, 1, "Odd or even", "What is odd.", "classification", ("text",), "label", ("even", "odd")),
        *((ACCURACY,), RowsSource("numbers", rows), "CC0-1.0", "", ""),
    )

TASKS = [task("parity"), task("parity_too")]
TAKEN = task("mrpc")

class Nothing(Method[NoOptions]):
    name = "nothing"
    options = NoOptions
    card = Card(
        summary="Nothing is changed.", source="no paper", places=at("nothing", "feed_forward_output"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2)), work=lambda geometry, options: Work(),
    )

    def inject(self, anatomy, options):
        from methods.core import Injection

        return Injection(options)

    def count(self, geometry, options):
        return {}

class Half(Nothing.__base__):
    name = "half"
"""

ENTRIES = """
[paretune.tasks]
good = extra_things:TASKS
taken = extra_things:TAKEN
gone = extra_things:NONE_OF_THAT
wrong = extra_things:rows
ends = ends_the_process:anything

[paretune.methods]
good = extra_things:Nothing
half = extra_things:Half
absent = no_such_module_anywhere:X
"""

SCRIPT = """
import json, sys
import methods, tasks

tasks.get("mrpc"), methods.get("lora")
before = "extra_things" in sys.modules
told = {"before": before, "tasks": tasks.names(), "methods": methods.names()}
whose = [(tasks, "parity"), (tasks, "mrpc"), (methods, "nothing"), (methods, "lora")]
told["origins"] = [package.origin(name) for package, name in whose]
told["only here"] = [tasks.only_here("parity"), methods.only_here("nothing")]
told["faults"] = [*tasks.faults(), *methods.faults()]
for get in (tasks.get, methods.get):
    try:
        get("no_such_thing")
    except ValueError as error:
        told["unknown"] = told.get("unknown", []) + [str(error)]
told["ours"] = tasks.get("mrpc").title
told["torch"] = "torch" in sys.modules
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which another package lies as an installer leaves it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "extra_things.py").write_text(EXTRA)
    (folder / "ends_the_process.py").write_text("raise SystemExit(3)")
    about = folder / "extra_things-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-things\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    return folder


def run(folder: Path, *arguments: str) -> str:
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {"PYTHONPATH": path, "PATH": os.environ["PATH"], "COLUMNS": "200", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_entry_points_of_another_package_are_found_when_they_are_asked_for(installed: Path) -> None:
    told: dict[str, Any] = json.loads(run(installed, "-c", SCRIPT))
    assert told["before"] is False
    assert told["torch"] is False
    assert told["tasks"][-2:] == ["parity", "parity_too"]
    assert told["methods"][-1] == "nothing"
    assert told["origins"] == ["extra-things 1.2", None, "extra-things 1.2", None]
    assert told["only here"] == [False, False]
    assert told["ours"] == tasks.get("mrpc").title
    faults = "\n".join(told["faults"])
    assert len(told["faults"]) == 6
    assert all(f"that extra-things 1.2 brings ({value})" in faults for value in ("extra_things:TAKEN",))
    assert "(extra_things:TAKEN) cannot be used: the name 'mrpc' is taken, by a task of Paretune" in faults
    assert "(extra_things:NONE_OF_THAT) cannot be used: AttributeError: " in faults
    assert "(extra_things:rows) cannot be used: received <function rows" in faults
    assert "(ends_the_process:anything) cannot be used: SystemExit: 3." in faults
    assert "(extra_things:Half) cannot be used: <class 'extra_things.Half'> is not complete" in faults
    assert "(no_such_module_anywhere:X) cannot be used: ModuleNotFoundError: " in faults
    assert all("\n" not in fault and fault.endswith(".") for fault in told["faults"])
    for sentence in told["unknown"]:
        assert "no_such_thing" in sentence
        assert "that extra-things 1.2 brings" in sentence


def test_the_lists_tell_them_apart(installed: Path) -> None:
    shown = run(installed, "-m", "paretune", "methods")
    assert "nothing  Nothing is changed.\n  not one of Paretune's: extra-things 1.2\n" in shown
    assert shown.count("not one of Paretune's") == 1
    assert "The method that extra-things 1.2 brings (extra_things:Half) cannot be used" in shown
    lines = run(installed, "-m", "paretune", "tasks").splitlines()
    assert [line.split()[0] for line in lines if "extra-things 1.2" in line and "cannot" not in line] == [
        "parity",
        "parity_too",
    ]


def test_the_two_registries_are_one_text() -> None:
    one, other = ((ROOT / wing / "registry.py").read_text(encoding="utf-8") for wing in ("tasks", "methods"))
    assert one == other


@pytest.fixture
def registry() -> Registry[Any]:
    def check(given: object) -> tuple[str, Any]:
        if not isinstance(given, tasks.TaskSpec):
            raise tasks.TaskError("no task.")
        return given.name, given

    return Registry("task", {"mrpc": tasks.get("mrpc")}, check, tasks.TaskError)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", "-a", "ä", "a\n", 7])
def test_a_name_that_would_be_no_file_or_option_is_refused(name: Any, registry: Registry[Any]) -> None:
    with pytest.raises(tasks.TaskError, match="expected letters, digits"):
        registry.register(replace(tasks.get("mrpc"), name=name), {})


def test_a_name_is_taken_once(registry: Registry[Any]) -> None:
    registry.register(replace(tasks.get("mrpc"), name="mine"), {"__name__": "my.module"})
    assert registry.origin("mine") == "registered by my.module"
    assert registry.only_here("mine")
    with pytest.raises(tasks.TaskError, match=r"'mine' is taken, by a task registered by my\.module"):
        registry.register(replace(tasks.get("mrpc"), name="mine"), {"__name__": "my.module"})
    with pytest.raises(tasks.TaskError, match="'mrpc' is taken, by a task of Paretune"):
        registry.register(tasks.get("mrpc"), {})


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ({"__name__": "__main__", "__file__": "/home/me/secret/train.py"}, "registered by train.py"),
        ({"__name__": "__main__"}, "registered by an interactive session"),
        ({}, "registered by an interactive session"),
    ],
)
def test_a_script_is_called_by_its_file(module: dict[str, str], told: str, registry: Registry[Any]) -> None:
    registry.register(replace(tasks.get("mrpc"), name="mine"), module)
    assert registry.origin("mine") == told
