"""What the documents say of published records, found again by a script that shares no code with ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tests" / "recompute.py"


def test_the_published_numbers_are_found_by_other_means() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    ours = ("reports", "runners", "methods", "tasks")
    assert not re.findall(rf"^\s*(?:from|import) (?:{'|'.join(ours)})\b", source, flags=re.MULTILINE)
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True, cwd="/")
    pages = [ROOT / "docs" / "superseded.md", ROOT / "README.md"]
    told = " ".join(" ".join(page.read_text(encoding="utf-8") for page in pages).split())
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    pairs, better, good, still = re.findall(r"\d+", said["verdicts"])
    assert f"Of the {pairs} pairs of methods one is **better** in {better}:" in told
    assert good == "2"
    assert "In two, one is **as good**" in told
    assert f"The other {still} are **not decided**" in told
    lost, of, whole, p = re.findall(r"\d+(?:\.\d+)?", said["learned nothing"])
    assert f"`prefix` learned nothing in {lost} of {of} runs" in told
    assert f"more than `full`'s {whole}" in told
    assert float(p) <= 0.05
    assert f"| full | **{said['full on CoLA']}** |" in told
    enough, score, full, below, less = re.findall(r"\d[\d,]*(?:\.\d+)?", said["d90 on rotten_tomatoes"])
    assert f"{enough} dimensions of a random subspace are enough" in told
    assert f"({score} against {full}), {below} are not ({less})" in told
