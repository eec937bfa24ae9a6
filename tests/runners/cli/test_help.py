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


def rows(shown: str, command: Any) -> dict[str, str]:
    """What the help of a command says of each parameter: its row, without white space and frames.

    A row begins with the parameter's name and ends before the next one's; what is wrapped is put together.
    """
    names = {_first(parameter): parameter.name for parameter in command.params}
    names["--help"] = "help"
    found: dict[str, str] = {}
    at = None
    for line in shown.splitlines():
        words = line.strip("│ *").split()
        if line.startswith("│"):
            at = names.get(words[0].removesuffix("...") if words else "", at)
            if at is not None:
                found[at] = found.get(at, "") + "".join(line.strip("│").split())
        else:
            at = None
    return found


def _first(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name)
    return str(parameter.opts[0])


def default_of(parameter: Any) -> str | None:
    """What stands for a parameter that is not given; None for a flag and for what is required."""
    if parameter.required or getattr(parameter, "is_flag", False):
        return None
    if isinstance(parameter.show_default, str):
        return f"({parameter.show_default})"
    assert parameter.default is not None, f"{parameter.name}: nothing says what its default is"
    return str(parameter.default)


@pytest.mark.parametrize("words", [words for words in EVERY if words], ids=" ".join)
def test_the_default_of_everything_is_shown_and_nothing_is_swallowed(
    words: tuple[str, ...], width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paretune(*words, "--help") == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    command = EVERY[words]
    found = rows(shown, command)
    assert set(found) == {parameter.name for parameter in command.params} | {"help"}
    for parameter in command.params:
        told = found[parameter.name]
        assert parameter.help, f"{parameter.name} is not explained"
        assert "".join(parameter.help.split()) in told
        default = default_of(parameter)
        assert ("[default:" in told) == (default is not None), parameter.name
        if default is not None:
            assert f"[default:{''.join(default.split())}]" in told
    whole = "".join(shown.replace("│", "").split())
    assert "".join(str(command.help).split()) in whole


def test_a_default_says_what_the_code_does() -> None:
    """Where a help says a default in words, it is one that the command puts in the place of nothing."""
    for words, command in EVERY.items():
        for parameter in command.params:
            if isinstance(getattr(parameter, "show_default", None), str):
                assert parameter.default in (None, []), f"{words} {parameter.name} has a default of its own"


def test_the_top_says_what_exit_codes_mean(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert " ".join(cli.EXIT_CODES.split()) in shown
    assert paretune("--version") == 0
    assert capsys.readouterr().out.split()[0] == "paretune"
