"""The pages made of test results: what they say, and that the committed one is not stale."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

import methods

from .matrix_page import matrix_page, parity_page, read
from .methods.conftest import ARCHITECTURES
from .methods.test_invariants import CANNOT
from .methods.test_quantised import BASES, REFUSED

DOCS = Path(__file__).parents[1] / "docs"


def results(folder: Path, *tests: dict[str, Any]) -> Path:
    """A results file as pytest writes it."""
    lines = []
    for number, test in enumerate(tests):
        own = dict(test)
        name, fault = own.pop("test", "test_one_thing"), own.pop("fault", "")
        properties = "".join(
            f"<property name={quoteattr(key)} value={quoteattr(str(value))} />" for key, value in own.items()
        )
        lines.append(
            f'<testcase classname="tests" name="{name}[{number}]" time="1.5">'
            f"<properties>{properties}</properties>{fault}</testcase>"
        )
    path = folder / "results.xml"
    path.write_text(f"<testsuites><testsuite time='9'>{''.join(lines)}</testsuite></testsuites>")
    return path


def cell(method: str, architecture: str, head: str = "classify", **more: Any) -> dict[str, Any]:
    return {"method": method, "architecture": architecture, "head": head, **more}


def test_a_cell_shows_what_passed_what_failed_and_why_not(tmp_path: Path) -> None:
    path = results(
        tmp_path,
        cell("lora", "bert", reason="has been shown first"),
        cell("full", "gpt2", "causal"),
        cell("full", "gpt2"),
        cell("full", "gpt2", test="test_another_thing"),
        cell("lora", "gpt2", fault="<failure>no</failure>"),
        cell("lora", "gpt2"),
        cell("lora", "gpt2", "causal", fault="<skipped/>"),
        cell("full", "bert"),
        cell("bias", "gpt2", reason="has no biases"),
        cell("bias", "gpt2", "causal", reason="has no biases"),
        cell("bias", "bert"),
        {},
    )
    page = matrix_page(read(path))
    assert "|  | `full` | `lora` | `bias` |" in page
    assert "| `gpt2` | 2 · 1 | **1 of 2 failed** · **1 of 1 failed** | [a] |" in page
    assert "| `bert` | 1 | [b] | 1 |" in page
    assert "* [a] the model has no biases\n* [b] the model has been shown first" in page
    assert "11 tests of 2 architectures and 3 methods in 16 s, 2 failed" in page
    assert "| another thing | 1 |" in page
    assert "## Failed\n\n* `test_one_thing[4]`\n* `test_one_thing[6]`" in page


def test_an_empty_cell_is_refused(tmp_path: Path) -> None:
    path = results(tmp_path, cell("full", "bert"), cell("lora", "bert"), cell("full", "gpt2"))
    with pytest.raises(SystemExit, match="no test of lora on gpt2"):
        matrix_page(read(path))
    with pytest.raises(SystemExit, match="no test of the matrix"):
        matrix_page(read(results(tmp_path, {})))


def test_parity_shows_the_largest_deviation_of_each_method_and_reference(tmp_path: Path) -> None:
    def case(reference: str, label: str, value: float, **more: Any) -> dict[str, Any]:
        return {"reference": reference, "method": "lora", "case": label, "deviation": value, **more}

    path = results(
        tmp_path,
        case("peft", "bert", 3.33e-16),
        case("peft", "gpt2: fused", 2.5e-14),
        case("peft", "bert: losses, float32", 1e-7),
        case("equation", "bert", 0.0),
        case("equation", "slices", 1.0, fault="<failure/>"),
        cell("lora", "bert"),
    )
    page = parity_page(read(path))
    assert "| `lora` | peft | float64 | 2 | 2.5e-14 | gpt2: fused |" in page
    assert "| `lora` | peft | float32 | 1 | 1.0e-07 | bert: losses, float32 |" in page
    assert "| `lora` | equation | float64 | 2 (**1 failed**) | 1.0e+00 | slices |" in page
    assert "| `lora` | equation | bert | 0 |" in page
    with pytest.raises(SystemExit, match="no test of parity"):
        parity_page(read(results(tmp_path, cell("lora", "bert"))))


def test_the_committed_page_is_of_the_methods_and_architectures_there_are() -> None:
    """`make matrix` writes it."""
    page = (DOCS / "matrix.md").read_text(encoding="utf-8")
    header, _, *rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")]
    assert tuple(name.strip(" `") for name in header[1:]) == methods.names()
    body = [[entry.strip() for entry in row] for row in rows if row[0].strip().startswith("`")]
    stored = (f"{architecture} in {storage}" for architecture, storage in BASES)
    assert tuple(row[0].strip("`") for row in body) == (*ARCHITECTURES, *stored)
    assert all(re.fullmatch(r"\d+( · (\d+|\[\w]))?|\[\w]", entry) for row in body for entry in row[1:])
    reasons = set(re.findall(r"^\* \[\w] the model (.*)$", page, flags=re.MULTILINE))
    assert reasons == {reason for *_, reason in (*CANNOT, *REFUSED)}
