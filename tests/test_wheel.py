"""What is installed is what is in the tree: every module and data file of the four wings and their face."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from runners.choosing.boards import Sources

ROOT = Path(__file__).parents[1]
WINGS = ("paretune", "methods", "tasks", "runners", "reports")
NOT_INSTALLED = ("reports/leaderboards", "reports/imported", "reports/pilot", "reports/submissions")
"""Results: they belong to the repository, not to the program, but for the boards that `choose` reads."""


def test_the_wheel_holds_every_file_of_the_product(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    left_out = shutil.ignore_patterns("__pycache__", "imported", "submissions")
    for wing in WINGS:
        shutil.copytree(ROOT / wing, tree / wing, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(tmp_path))
    subprocess.run((sys.executable, "-m", "pip", "wheel", str(tree), *options), check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    ours = {
        path.relative_to(ROOT).as_posix()
        for wing in WINGS
        for path in (ROOT / wing).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    boards = {path.relative_to(ROOT).as_posix() for path in Sources.found(None).published}
    kept = {name for name in ours if name.rpartition("/")[0] in boards and name.endswith(".json")}
    assert kept
    assert inside == {name for name in ours if not name.startswith(NOT_INSTALLED)} | kept
