"""The architecture: rooms, and arrows that only go down.

Every folder's ``__init__.py`` says in one sentence what the room is for and what it may import; these tests
hold it to that. Imports for types alone and inside of functions count like any other.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import methods
import tasks

ROOT = Path(__file__).parents[1]
WINGS: dict[str, set[str]] = {
    "methods": set(),
    "tasks": set(),
    "reports": set(),
    "runners": {"methods", "tasks", "reports"},
    "paretune": {"methods", "tasks", "reports", "runners"},
}
"""The wings and their face, and what each may import of the others."""
REFERENCES = {"peft", "adapters"}
"""For tests, never in the product."""
MOST_LINES = 350


def files(wing: str) -> list[Path]:
    return sorted((ROOT / wing).rglob("*.py"))


def rooms(wing: str) -> list[str]:
    """The folders of a wing as dotted names: ``core``, ``site.parts``; the wing itself is not among them."""
    found = (path.parent.relative_to(ROOT / wing) for path in files(wing) if path.name == "__init__.py")
    return [".".join(folder.parts) for folder in found if folder.parts]


ROOMS = [(wing, room) for wing in WINGS for room in rooms(wing)]


def sentence(*place: str) -> str:
    """What the ``__init__.py`` of a wing or room says of it, in one line."""
    path = ROOT.joinpath(*place) / "__init__.py"
    return " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())


def ground(wing: str) -> set[str]:
    """The files of a wing that every room of it may import, as its docstring lists them."""
    found = re.search(r"Ground floor: ([^.]*)\.", sentence(wing))
    return set(re.findall(r"`(\w+)`", found[1])) if found else set()


def allowed(wing: str, room: str) -> set[str]:
    """The rooms that a room says it may import."""
    rule = re.search(r"; may import (.*)\.$", sentence(wing, *room.split(".")))
    assert rule, f"{wing}/{room}/__init__.py does not say what the room may import"
    if rule[1] == "every other room":
        return set(rooms(wing)) - {room}
    assert rule[1] == "no other room" or "`" in rule[1], rule[1]
    return set(re.findall(r"`([\w.]+)`", rule[1]))


def imported(path: Path) -> set[Path]:
    """The files of ours that a file imports; of a package that is its ``__init__.py``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if file_of(name) else str(node.module) for name in inside]
        found |= {file for name in names if (file := file_of(name))}
    return found - {path}


def file_of(name: str) -> Path | None:
    """The file of a module of ours, by its dotted name."""
    base = ROOT.joinpath(*name.split("."))
    if name.split(".", maxsplit=1)[0] not in WINGS:
        return None
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def room_of(wing: str, path: Path) -> str:
    return ".".join(path.parent.relative_to(ROOT / wing).parts)


@pytest.mark.parametrize("wing", WINGS)
def test_arrows_between_the_wings_only_go_down(wing: str) -> None:
    for path in files(wing):
        named = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                named.add(node.module.split(".")[0])
        assert named & (WINGS.keys() | REFERENCES) <= WINGS[wing] | {wing}, path


@pytest.mark.parametrize(("wing", "room"), ROOMS, ids=[".".join(pair) for pair in ROOMS])
def test_a_room_imports_what_it_says_and_no_more(wing: str, room: str) -> None:
    may, below = allowed(wing, room), {ROOT / wing / f"{name}.py" for name in ground(wing)}
    assert may <= set(rooms(wing))
    used = set()
    for path in files(wing):
        if room_of(wing, path) != room:
            continue
        for other in imported(path) - below:
            if other.is_relative_to(ROOT / wing):
                used.add(room_of(wing, other))
                assert room_of(wing, other) in {room} | may, f"{path} imports {other}"
    if "every other room" not in sentence(wing, *room.split(".")):
        assert may <= used, f"{wing}/{room} says that it may import {may - used}, and does not"


@pytest.mark.parametrize("wing", WINGS)
def test_the_rooms_of_a_wing_have_floors(wing: str) -> None:
    order = TopologicalSorter({room: allowed(wing, room) for room in rooms(wing)})
    assert set(order.static_order()) == set(rooms(wing))


@pytest.mark.parametrize("wing", WINGS)
def test_the_ground_floor_carries_and_is_not_carried(wing: str) -> None:
    for name in ground(wing):
        path = ROOT / wing / f"{name}.py"
        inside = {other for other in imported(path) if other.is_relative_to(ROOT / wing)}
        assert inside <= {ROOT / wing / f"{other}.py" for other in ground(wing)}, path


@pytest.mark.parametrize("wing", WINGS)
def test_no_files_import_each_other_in_a_circle(wing: str) -> None:
    inside = set(files(wing))
    TopologicalSorter({path: imported(path) & inside for path in inside}).prepare()


def test_methods_shows_the_methods_and_nothing_else() -> None:
    shown = {path.stem for path in (ROOT / "methods").glob("*.py")} - {"__init__"} - ground("methods")
    assert shown == set(methods.names())


def test_tests_mirror_the_rooms() -> None:
    for wing in WINGS:
        folders = {path.parent.relative_to(ROOT / "tests" / wing) for path in files(f"tests/{wing}")}
        assert {".".join(folder.parts) for folder in folders if folder.parts} <= set(rooms(wing))
        for room in rooms(wing):
            assert list((ROOT / "tests" / wing).joinpath(*room.split(".")).glob("test_*.py")), (wing, room)


def test_runners_name_no_method_and_no_task() -> None:
    names = {*methods.names(), *tasks.names()} - {"full", "head"}  # English words as well
    for path in files("runners"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not words & names, path


def test_files_stay_short() -> None:
    for wing in WINGS:
        for path in files(wing):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path


SCRIPTS = [
    path
    for path in sorted((ROOT / "tests").glob("*.py"))
    if not path.name.startswith("test_") and "__main__" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_beside_folders_named_like_ours_finds_ours(script: Path, tmp_path: Path) -> None:
    """``tests/reports`` lies beside it, in the folder that Python searches first."""
    start = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[2], run_name='read')"
    command = [sys.executable, "-c", start, str(script.parent), str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
