"""Documents that stay true."""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import methods
from docs.builder import equations, links
from docs.builder.assemble import COPIED, NAV
from reports.records.schema_json import latency_schema, record_schema, serving_schema
from reports.site.method import blocks
from runners.cli import asked
from runners.cli.app import app
from runners.plan.study import content, read_study
from tests.commands import Command, commands, shown
from tests.runners.command import paretune

ROOT = Path(__file__).parents[1]
SHOWN = shown()
COMMAND: Any = typer.main.get_command(app)
USAGE = typer.BadParameter.__bases__[0]
"""What typer raises for whatever is wrong in what was typed."""


def parsed(words: list[str]) -> Any:
    """The context that the real command makes of its words, without doing it; raises its usage errors."""
    command, name, context = COMMAND, "paretune", None
    while isinstance(command, TyperGroup):
        context = command.make_context(name, words[:1], parent=context)
        name, command, _ = command.resolve_command(context, words[:1])
        words = words[1:]
    return command.make_context(name, [*words], parent=context)


def fault_of(command: Command) -> str:
    """What is wrong with a command that a document shows; empty where nothing is."""
    words = command.words
    if words[0] == "make":
        targets = re.findall(r"^([a-z][\w.-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        return f"no target {set(words[1:]) - set(targets)}" * bool(set(words[1:]) - set(targets))
    if words[0] == "python" and words[1].endswith(".py"):
        script = (ROOT / words[1]).read_text(encoding="utf-8")
        missing = [w for w in words if w.startswith("--") and w.partition("=")[0] not in script]
        return f"{words[1]} has no {missing}" * bool(missing)
    if words[0] == "python" and words[1] == "-m" and words[2] != "pip":
        place = ROOT / words[2].replace(".", "/")
        return "" if place.with_suffix(".py").is_file() or place.is_dir() else f"no module {words[2]}"
    if words[0] != "paretune":
        return ""
    try:
        context = parsed(words[1:])
    except USAGE as error:
        whole = type(error).__name__ not in ("MissingParameter", "BadOptionUsage")  # what a mention may lack
        return str(error) if whole or not command.mention else ""
    study, chosen = context.params.get("study"), context.params.get("method") or []
    named = study and "=" not in study and not (study.endswith((".yaml", "NAME")) or study.isupper())
    if context.info_name == "run" and named:
        try:
            content(study)
        except ValueError as error:
            return str(error)
    names = {one.partition(":")[0] for one in ([chosen] if isinstance(chosen, str) else chosen)}
    unknown = {name for name in names - {*methods.names(), "my-method"} if not name.isupper()}
    return f"no method {unknown}" * bool(unknown)


def test_every_command_that_is_shown_can_be_typed() -> None:
    """The flags of all, long ones too, the studies and methods that they name, targets, scripts' flags."""
    assert len(SHOWN) > 100
    faults = [f"{command}: {fault}" for command in SHOWN if (fault := fault_of(command))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "slip",
    [
        *("paretune run mine.yaml --wrokers 2", "paretune cuont gpt2 lora", "paretune run demmo"),
        *("paretune count gpt2", "paretune count gpt2 lroa", "paretune latency gpt2 --method lroa"),
        *("make dmeo", "python tests/recompute.py --fast", "python -m tests.gpu.mesure"),
    ],
)
def test_a_slip_in_a_document_is_found(slip: str) -> None:
    found = list(commands("page.md", f"<!-- long -->\n```console\n$ {slip}\n```\n"))
    assert [command.line for command in found] == [slip]
    assert fault_of(found[0])


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that the documents' quick commands name."""
    monkeypatch.chdir(tmp_path)
    rows = [
        f"text number {i} of {'odd' if i % 2 else 'even'} kind,{'odd' if i % 2 else 'even'}"
        for i in range(40)
    ]
    for name, some in (("train.csv", rows[:30]), ("test.csv", rows[30:])):
        Path(name).write_text("\n".join(["text,category", *some]) + "\n", encoding="utf-8")
    record = next((ROOT / "reports" / "leaderboards" / "rotten-tomatoes").glob("*.json"))
    Path("results/mine").mkdir(parents=True)
    shutil.copy(record, "results/mine")
    shutil.copy(record, "results")


QUICK: dict[str, list[str]] = {}
for _command in SHOWN:
    if not _command.long:
        QUICK.setdefault(_command.line, []).append(_command.document)


@pytest.mark.usefixtures("at_hand")
def test_every_command_that_is_not_marked_as_long_runs(capfd: pytest.CaptureFixture[str]) -> None:
    assert len(QUICK) > 10
    for line, documents in QUICK.items():
        words = Command("", line, long=False).words
        if words[:2] == ["python", "-c"]:
            exec(words[2], {})
            printed = capfd.readouterr().out.strip()
            assert all(printed in (ROOT / name).read_text(encoding="utf-8") for name in documents), printed
        else:
            assert words[0] == "paretune", f"{line} is not marked as long: {', '.join(documents)}"
            assert paretune(*words[1:]) == 0, line
            assert capfd.readouterr().out, line


def test_the_study_of_the_first_steps_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "first-steps.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- study: mine.yaml -->\n```yaml\n(.*?)```", page, re.S)
    assert found
    path = tmp_path / "mine.yaml"
    path.write_text(found[1], encoding="utf-8")
    assert len(read_study(str(path)).specs) == 4 * 3


@pytest.mark.parametrize("name", methods.names())
def test_every_method_says_its_equation_and_all_of_it_is_understood(name: str) -> None:
    notes = inspect.getdoc(sys.modules[type(methods.get(name)).__module__]) or ""
    formulas = [lines for kind, lines in blocks(notes) if kind == "formula"]
    assert formulas
    for lines in formulas:
        assert any(piece.is_equation for line in lines for piece in equations.pieces(line))
        equations.html(lines)


@pytest.mark.parametrize(
    ("typed", "latex"),
    [
        ("h = W0 x + (alpha / r) B A x", r"h = W_{0} x + \frac{\alpha }{r} B A x"),
        ("A = (S_r / s)^(1/2) V_r^T", r"A = \left( \frac{S_{r}}{s} \right)^{1/2} V_{r}^{⊤}"),
        ("theta_i = theta0_i + (P z)_i", r"\theta _{i} = \theta _{0,i} + \left( P z \right)_{i}"),
        ("m * V / ||V||", r"m \odot  \frac{V}{\lVert V \rVert}"),
    ],
)
def test_an_equation_is_read_as_it_is_meant(typed: str, latex: str) -> None:
    assert equations.latex(typed) == latex


@pytest.mark.parametrize("typed", ["h = (W x", "h = W x)", "h = W / ", "h = W & x"])
def test_an_equation_that_is_not_understood_is_no_page(typed: str) -> None:
    with pytest.raises(ValueError, match="h = "):
        equations.mathml(typed)


@pytest.mark.parametrize(
    "schema", [record_schema(), latency_schema(), serving_schema()], ids=["record", "latency", "serving"]
)
def test_every_field_of_a_record_says_what_it_is(schema: dict) -> None:
    for name, part in {schema["title"]: schema, **schema["$defs"]}.items():
        for field, told in part["properties"].items():
            parts = [told, *told.get("anyOf", []), told.get("items", {})]
            assert (
                told.get("description") or field == "schema_version" or any("$ref" in one for one in parts)
            ), f"{name}.{field}"


def test_links_that_lead_nowhere_and_foreign_hosts_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="a/b.html#there">x</a><a href="a/b.html#gone">x</a><a href="c.html">x</a>'
        '<a href="https://elsewhere.org">x</a><a href="../board.html">x</a><a href="#none">x</a>'
        '<script src="https://elsewhere.org/x.js"></script>',
        encoding="utf-8",
    )
    (tmp_path / "a" / "b.html").write_text(
        '<p id="there"><a href="../index.html">x</a></p>', encoding="utf-8"
    )
    assert links.faults(tmp_path, beside=("../board.html",)) == [
        "index.html fetches https://elsewhere.org/x.js, expected no other host.",
        "index.html links to a/b.html#gone, which has no such anchor.",
        "index.html links to c.html, which is not there.",
        "index.html links to #none, which has no such anchor.",
    ]


def test_every_page_is_listed_in_the_sites_bar() -> None:
    listed = {page for group in NAV.values() for page in group.values()}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} | set(COPIED.values()) <= listed


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
