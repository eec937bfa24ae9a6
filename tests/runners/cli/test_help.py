"""``--help`` of every command, at the widths of a narrow and a wide terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from runners.cli import app as cli

from ..command import paretune

WIDTHS = (80, 120)


def walked(command: Any, *before: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it, groups of commands before what is in them."""
    yield before, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walked(inner, *before, name)


EVERY = dict(walked(get_command(cli.app)))


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("TERMINAL_WIDTH", str(request.param))
    return int(request.param)


def test_every_command_has_a_group_and_one_line(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("--help") == 0
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    for words, command in EVERY.items():
        if len(words) == 1:
            assert command.rich_help_panel in (cli.TRY, cli.RUN, cli.MEASURE, cli.SHARE)
            assert [line for line in lines if line.split()[:1] == [words[0]]] == [
                f"{words[0]:<10}  {command.short_help}"
            ]
