"""`paretune` as a command and as a package, where files lie about that are named like ours."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import methods
import paretune
import tasks
from runners import ours
from runners.executors import workers

ROOT = Path(__file__).parents[1]
SCRIPT = """\
import sys
from paretune.__main__ import main
sys.exit(main())
"""
"""What an installer writes as the command."""


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of modules that have the names of ours, and end whatever imports them."""
    folder = tmp_path_factory.mktemp("crowded")
    for name in ("tasks.py", "runners.py", "methods/__init__.py", "reports/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"raise SystemExit('{name} was imported')\n")
    return folder


def run(folder: Path, *arguments: str, path: str = str(ROOT), **settings: str) -> tuple[int, str, str]:
    """Exit code and both outputs of a fresh interpreter in a folder."""
    environment = {"PYTHONPATH": path, "PATH": os.environ["PATH"], "HOME": str(folder), **settings}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_python_m_paretune_is_not_broken_by_files_named_like_ours(crowded: Path) -> None:
    library = crowded / "rich.py"  # one that the command needs
    library.write_text("raise SystemExit('rich.py was imported')\n")
    code, out, err = run(crowded, "-m", "paretune", "tasks", "--json")
    library.unlink()
    assert (code, err) == (0, "")
    assert [row["name"] for row in json.loads(out)] == list(tasks.names())


def test_nor_is_the_command_where_they_are_on_the_path(crowded: Path, tmp_path: Path) -> None:
    script = tmp_path / "paretune"
    script.write_text(SCRIPT)
    code, out, err = run(crowded, str(script), "methods", "--json", path=f"{crowded}{os.pathsep}{ROOT}")
    assert (code, err) == (0, "")
    assert [row["name"] for row in json.loads(out)] == list(methods.names())


def test_a_script_there_imports_paretune(crowded: Path) -> None:
    code = (
        "import paretune, tasks; print(paretune.tasks is tasks, paretune.TrialSpec.__name__, tasks.__file__)"
    )
    found = run(crowded, "-c", code)
    assert found == (0, f"True TrialSpec {ROOT / 'tasks' / '__init__.py'}\n", "")


@pytest.mark.parametrize(
    ("name", "late"), [*((name, "paretune") for name in ours.NAMES), ("tasks", "runners")]
)
def test_a_module_that_was_there_first_is_named(name: str, late: str, tmp_path: Path) -> None:
    foreign = tmp_path / f"{name}.py"
    foreign.touch()
    code, out, err = run(tmp_path, "-c", f"import {name}, {late}")
    assert (code, out) == (1, "")
    expected = f"{name!r} is {foreign} in this process, expected {ROOT / name}, which that hides"
    assert err.splitlines()[-1].startswith(f"ImportError: {expected}")


def test_a_worker_begins_there(crowded: Path, tmp_path: Path) -> None:
    """It ends as it does when its parent is gone, which needs our code to notice."""
    mine, other = socket.socketpair()
    mine.close()
    started = json.dumps([other.fileno(), 1, str(tmp_path / "own"), [str(crowded), str(ROOT), *sys.path]])
    done = subprocess.run(
        [sys.executable, "-c", workers._START, started],
        cwd=tmp_path,
        pass_fds=[other.fileno()],
        capture_output=True,
        text=True,
        check=False,
    )
    other.close()
    assert (done.returncode, done.stderr) == (128 + 15, "")


def test_the_face_hands_out_what_it_says() -> None:
    assert set(paretune.__all__) == {*paretune._WINGS, *paretune._HOMES} <= set(dir(paretune))
    assert paretune._WINGS == ours.NAMES
    for name in paretune.__all__:
        assert getattr(paretune, name) is not None
    assert paretune.apply is methods.apply
    assert paretune.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="has no attribute 'aply'"):
        _ = paretune.aply
