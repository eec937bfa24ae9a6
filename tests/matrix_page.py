"""Write docs/matrix.md and docs/parity.md from the results of the tests of the methods.

    python tests/matrix_page.py RESULTS.xml [--out docs]

RESULTS.xml is what ``pytest tests/methods --junitxml=RESULTS.xml`` writes. A test of the matrix has the
properties ``method``, ``architecture`` and ``head`` (fixture ``in_matrix``), and ``reason`` where it shows
that the cell cannot be. A test of parity has ``reference``, ``method``, ``case`` and ``deviation``. Nothing
else is known here: what has no test is not on the pages.
"""

from __future__ import annotations

import argparse
import platform
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

COMMAND = "make matrix"
CLASSIFIER = "classify"


@dataclass(frozen=True)
class Case:
    """One test that ran."""

    name: str
    seconds: float
    passed: bool
    properties: dict[str, str]

    @property
    def invariant(self) -> str:
        """What it tests, in words: its function's name."""
        return self.name.partition("[")[0].removeprefix("test_").replace("_", " ")


def read(results: Path) -> list[Case]:
    """The tests in a results file of pytest's. A test that was skipped has not passed."""
    return [
        Case(
            case.attrib["name"],
            float(case.attrib["time"]),
            not any(case.find(fault) is not None for fault in ("failure", "error", "skipped")),
            {p.attrib["name"]: p.attrib["value"] for p in case.iterfind("properties/property")},
        )
        for case in ElementTree.parse(results).iter("testcase")
    ]


def table(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A Markdown table; the first ``left`` columns are text, the others are centred."""
    rule = ["---"] * left + [":---:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])


def unique(values: list[str]) -> list[str]:
    """Each value once, in the order of appearance."""
    return list(dict.fromkeys(values))


def environment() -> str:
    """What the tests ran on."""
    libraries = [f"{name} {version(name)}" for name in ("torch", "transformers")]
    return ", ".join([f"Python {platform.python_version()}", *libraries])


def mark(number: int) -> str:
    """The letter of a reason."""
    return f"[{chr(ord('a') + number)}]"


def cell(tests: list[Case], notes: list[str]) -> str:
    """One cell, head by head: how many tests passed, what failed, or the mark of the reason why not."""
    heads = unique([case.properties["head"] for case in tests])
    shown = []
    for head in sorted(heads, key=lambda name: name != CLASSIFIER):
        own = [case for case in tests if case.properties["head"] == head]
        reasons = unique([case.properties["reason"] for case in own if "reason" in case.properties])
        if failed := sum(not case.passed for case in own):
            shown.append(f"**{failed} of {len(own)} failed**")
        elif reasons:
            notes.extend(reason for reason in reasons if reason not in notes)
            shown.append("".join(mark(notes.index(reason)) for reason in reasons))
        else:
            shown.append(str(len(own)))
    if len(set(shown)) == 1 and shown[0].startswith("["):
        return shown[0]
    return " · ".join(shown)


def matrix_page(cases: list[Case]) -> str:
    """The table of methods and architectures, the reasons, and the invariants.

    Raises:
        SystemExit: there is no test of the matrix, or a cell has none.
    """
    inside = [case for case in cases if "architecture" in case.properties and "head" in case.properties]
    able = [case for case in inside if "reason" not in case.properties]
    if not able:
        raise SystemExit("the results hold no test of the matrix: run pytest on tests/methods.")
    invariants = Counter(case.invariant for case in inside)
    # Rows and columns come in the order of an invariant that every cell has, which is that of the registry.
    widest = max(Counter(case.invariant for case in able).items(), key=lambda item: item[1])[0]
    able.sort(key=lambda case: case.invariant != widest)
    methods = unique([case.properties["method"] for case in able])
    notes: list[str] = []
    rows = []
    for architecture in unique([case.properties["architecture"] for case in able]):
        row = [f"`{architecture}`"]
        for method in methods:
            place = (method, architecture)
            own = [c for c in inside if (c.properties["method"], c.properties["architecture"]) == place]
            if not own:
                raise SystemExit(f"no test of {method} on {architecture}: the matrix has an empty cell.")
            row.append(cell(own, notes))
        rows.append(row)
    failed = [case.name for case in inside if not case.passed]
    lines = [
        "# Methods and architectures",
        "",
        f"Made by `{COMMAND}` from the results of `pytest tests/methods`; not edited by hand.",
        "",
        f"{len(inside):,} tests of {len(rows)} architectures and {len(methods)} methods in "
        f"{sum(case.seconds for case in inside):.0f} s, {len(failed)} failed; all of `tests/methods`: "
        f"{len(cases):,} tests in {sum(case.seconds for case in cases):.0f} s. {environment()}.",
        "",
        "A number is that of the tests that passed in a cell, all there are: of a classifier, and "
        "behind the dot of the language model that a decoder (causal) or an encoder-decoder (sequence to "
        "sequence) also is. A letter says why a method cannot be there; a test holds that it says so and "
        "leaves the model as it was. Models are tiny and random, configurations are in "
        "`tests/methods/conftest.py`.",
        "",
        table(["", *(f"`{method}`" for method in methods)], rows),
        "",
        *(f"* {mark(number)} the model {reason}" for number, reason in enumerate(notes)),
        "",
        "## What is tested",
        "",
        "The more expensive are run on one architecture of each kind, compilation on two. `in bfloat16`, "
        "`in nf4` and the like say how the weights of the blocks are stored.",
        "",
        table(["invariant", "tests"], [[name, str(count)] for name, count in invariants.items()]),
    ]
    if failed:
        lines += ["", "## Failed", "", *(f"* `{name}`" for name in failed)]
    return "\n".join(lines) + "\n"


def parity_page(cases: list[Case]) -> str:
    """The largest deviation of every method from every reference, and all cases.

    Raises:
        SystemExit: there is no test of parity.
    """
    found = [case for case in cases if "reference" in case.properties]
    if not found:
        raise SystemExit("the results hold no test of parity: run pytest on tests/methods.")
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for case in found:
        precision = "float32" if "float32" in case.properties["case"] else "float64"
        key = (case.properties["method"], case.properties["reference"], precision)
        groups.setdefault(key, []).append(case)
    summary, every = [], []
    for key, own in sorted(groups.items()):
        worst = max(own, key=lambda case: float(case.properties["deviation"]))
        method, reference, precision = key
        failed = sum(not case.passed for case in own)
        summary.append(
            [f"`{method}`", reference, precision, str(len(own)), deviation(worst), worst.properties["case"]]
        )
        summary[-1][3] += f" (**{failed} failed**)" if failed else ""
        every += [[f"`{method}`", reference, case.properties["case"], deviation(case)] for case in own]
    lines = [
        "# Parity with the references",
        "",
        f"Made by `{COMMAND}` from the results of `pytest tests/methods`; not edited by hand.",
        "",
        "The same weights and inputs in our method and in the reference: `peft` and `adapters` are those "
        "libraries, `equation` is the paper's, written out in the test. The deviation is the largest "
        f"absolute difference over outputs and gradients. {environment()}, peft {version('peft')}.",
        "",
        table(["method", "reference", "precision", "cases", "largest deviation", "where"], summary, left=3),
        "",
        "## Every case",
        "",
        table(["method", "reference", "case", "deviation"], every, left=3),
    ]
    return "\n".join(lines) + "\n"


def deviation(case: Case) -> str:
    """As it is printed."""
    value = float(case.properties["deviation"])
    return f"{value:.1e}" if value else "0"


def main() -> None:
    """Write both pages; end with an error where a test failed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("results", type=Path)
    options.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs")
    chosen = options.parse_args()
    cases = read(chosen.results)
    chosen.out.mkdir(exist_ok=True)
    for name, page in (("matrix.md", matrix_page), ("parity.md", parity_page)):
        (chosen.out / name).write_text(page(cases), encoding="utf-8")
        print(chosen.out / name)
    if failed := sum(not case.passed for case in cases):
        sys.exit(f"{failed} of {len(cases)} tests did not pass.")


if __name__ == "__main__":
    main()
