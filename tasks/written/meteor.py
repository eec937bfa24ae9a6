"""METEOR 1.5 (Denkowski and Lavie 2014) by the official program, which E2E's script runs too.

It is a program in Java with 60 MB of paraphrases, which ``pycocoevalcap`` 1.2 brings. What others call METEOR
has other parameters and no paraphrases, so that nothing here stands in for it. It is asked what that package
asks it, in the words that the script gives it (``ptb.py``), and takes seconds and up to 2 GB.
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tasks.spec import TaskError
from tasks.written.ptb import words

_COMMAND = ("java", "-jar", "-Xmx2G", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm")


def meteor(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """METEOR over all texts together, from 0 to 1.

    Args:
        predictions: one text each.
        references: one or more texts for each of them.

    Raises:
        TaskError: the program is not here (`tasks.needs.missing` tells it before), or ended without a score.
    """
    package = importlib.util.find_spec("pycocoevalcap")
    if package is None or not package.submodule_search_locations:
        raise TaskError("meteor needs the package pycocoevalcap, which is not installed")
    folder = Path(next(iter(package.submodule_search_locations))) / "meteor"
    with subprocess.Popen(
        _COMMAND,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        counted = [
            _asked(program.stdin, program.stdout, "SCORE", *map(_line, several), _line(text))
            for text, several in zip(predictions, references, strict=True)
        ]
        _asked(program.stdin, program.stdout, "EVAL", *counted)
        for _ in predictions[1:]:  # the score of each text, and then that of all
            program.stdout.readline()
        return float(program.stdout.readline())


def _asked(to: IO[str], back: IO[str], *parts: str) -> str:
    """A line of what the program says to a line."""
    try:
        to.write(" ||| ".join(parts) + "\n")
        to.flush()
    except BrokenPipeError:
        raise TaskError("the program of meteor ended: `java` has to be one that runs, with 2 GB") from None
    said = back.readline().strip()
    if not said:
        raise TaskError("the program of meteor ended: `java` has to be one that runs, with 2 GB")
    return said


def _line(text: str) -> str:
    """Its words; bars are what the program tells texts apart by."""
    return " ".join(words(text)).replace("|||", "")
