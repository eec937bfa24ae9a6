"""A node that runs something else than the study is told by what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runners.cluster import builds


def test_the_first_difference_is_told(tmp_path: Path) -> None:
    mine = builds.build()
    assert builds.difference(mine, builds.build()) is None
    older = replace(mine, versions={**mine.versions, "torch": "2.0"})
    assert builds.difference(mine, older) == f"torch 2.0, expected {mine.versions['torch']}"
    lacks = replace(mine, versions={**mine.versions, "optuna": None})
    assert builds.difference(mine, lacks) == f"optuna none, expected {mine.versions['optuna']}"
    other = replace(mine, code="0" * 64)
    assert builds.difference(mine, other) == (
        f"code of Paretune with the hash 000000000000, expected {mine.code[:12]}"
    )


def test_the_code_is_known_by_names_and_contents_of_its_files(tmp_path: Path) -> None:
    seen = []
    for name, text in (("one.py", "a"), ("one.py", "b"), ("two.py", "b"), ("note.txt", "c")):
        (tmp_path / "runners").mkdir(exist_ok=True)
        for old in (tmp_path / "runners").glob("*.py"):
            if not name.endswith(".txt"):
                old.unlink()
        (tmp_path / "runners" / name).write_text(text)
        seen.append(builds._code(tmp_path))
    assert len(set(seen[:3])) == 3
    assert seen[3] == seen[2]  # what is no code moves no score
