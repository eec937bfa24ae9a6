"""Documents that stay true."""

from __future__ import annotations

import re
from pathlib import Path

import methods
from runners.cli import asked

ROOT = Path(__file__).parents[1]


def test_the_readme_names_every_method() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in readme for name in methods.names())


def test_the_page_on_tuning_shows_every_space() -> None:
    page = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")
    for name in methods.names():
        dimensions = methods.get(name).card.search_space.dimensions
        rates = dimensions.pop("learning_rate")
        options = "; ".join(f"`{option}` {values}" for option, values in dimensions.items()) or "–"
        assert f"| `{name}` | {rates} | {options} |" in page


def test_changelog_entries_are_tagged() -> None:
    entries = re.findall(
        r"^\* (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert entries
    assert all(entry.startswith(("[Code]", "[Rules]", "[Results]")) for entry in entries)


def test_the_page_of_commands_has_the_table_of_options() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    shown = [line for line in page.splitlines() if line.startswith("| `--")]
    assert shown == [
        f"| `{option}` | {' | '.join('yes' if kind in kinds else '–' for kind in asked.KINDS)} |"
        for option, kinds in asked.APPLIES.items()
    ]
    assert f"| option | {' | '.join(asked.KINDS)} |" in page
    assert all(f"`{option}`" in page for option in asked.TYPED)
