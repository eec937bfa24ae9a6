"""The commands that the documents show, with whether a test can run each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.builder import method_pages

ROOT = Path(__file__).parents[1]
LONG = "<!-- long -->"
"""Stands in front of a block whose commands train, or need a network or another machine: they are not run."""
STARTS = ("paretune", "python", "make", "accelerate", "tests/", "sh ", "HF_HUB_OFFLINE")


@dataclass(frozen=True)
class Command:
    """One command as a document shows it."""

    document: str
    line: str
    long: bool
    mention: bool = False
    """Whether it stands in running text, and need not be whole."""

    @property
    def words(self) -> list[str]:
        """As a shell takes it apart, without settings of the environment and what starts it in processes."""
        words = shlex.split(self.line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        return words[words.index("paretune") :] if words[:1] == ["accelerate"] else words

    def __str__(self) -> str:
        return f"{self.document}: {self.line}"


def shown() -> list[Command]:
    """Every command of every document."""
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}
    texts |= {f"docs/{name}": text for name, text in method_pages.pages().items()}
    return [command for name, text in texts.items() for command in commands(name, text)]


def commands(name: str, text: str) -> Iterator[Command]:
    """The commands in the blocks and the running text of one document."""
    for before, block in _blocks(text):
        for line in block:
            yield Command(name, line, LONG in before)
    prose = re.sub(r"^ *```.*?^ *```$|^    .*$", "", text, flags=re.M | re.S)
    for line in re.findall(r"`(paretune [a-z][^`]*)`", prose):
        yield Command(name, " ".join(line.split()), long=True, mention=True)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of each block, and what stands on the lines before it."""
    lines, at = text.splitlines(), 0
    while at < len(lines):
        fence = re.fullmatch(r"( *)```(\w*)", lines[at])
        before = next((line for line in reversed(lines[:at]) if line.strip()), "")
        if fence:
            end = next(i for i in range(at + 1, len(lines)) if lines[i].strip() == "```")
            if fence[2] == "console":
                yield before, list(_prompted(lines[at + 1 : end]))
            at = end + 1
        elif lines[at].startswith("    ") and not lines[at - 1].strip():
            end = next((i for i in range(at, len(lines)) if not lines[i].startswith("    ")), len(lines))
            found = [line.strip().removeprefix("$ ") for line in lines[at:end]]
            if found[0].startswith(STARTS):
                yield before, list(_joined(found))
            at = end
        else:
            at += 1


def _prompted(lines: list[str]) -> Iterator[str]:
    """What is typed behind a `$`; a line that ends in a backslash, or in an open quote, goes on."""
    typed: list[str] = []
    for line in lines:
        goes_on = typed and (typed[-1].endswith("\\") or "\n".join(typed).count('"') % 2)
        if goes_on or line.startswith("$ "):
            typed = [*typed, line] if goes_on else [*typed, "", line[2:]]
    for part in "\n".join(typed).split("\n\n"):
        if part.strip():
            yield part.strip().replace("\\\n", " ")


def _joined(lines: list[str]) -> Iterator[str]:
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.startswith(STARTS):
            yield line
