"""What a site holds beside its own ranked results: other suites, rows set apart, searched settings."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from reports import build_site
from reports.records.origins import Origin, Superseded, content_key
from reports.records.schema import Suite
from reports.site.markdown import markdown_report
from reports.site.parts.board import make_board
from reports.site.parts.paths import IMPORTED
from reports.tables.latex import latex_table

from .test_build import Reader


def theirs(record):
    """The same trial as another suite has it."""
    suite = Suite(
        name="Theirs",
        url="https://example.org/results",
        experiment="lora/r8",
        label=f"{record.spec['method']}/r8",
        status="success",
        notes=("their seconds count the test too",),
        file_sha256="ab" * 32,
        original={"kept": "only in the JSON"},
    )
    return record.model_copy(update={"suite": suite})


@pytest.fixture
def mixed(make_record):
    """Ours, some of it searched for or apart, and theirs of the same task, method and trial id."""
    ours = [make_record(seed=seed) for seed in range(3)]
    tuned = [make_record(seed=seed, tuning=True) for seed in range(3)]
    apart = make_record("head", score=0.99)
    return [*ours, *tuned, apart, theirs(make_record(score=0.9)), theirs(make_record("prefix", seed=1))]


def test_every_link_leads_somewhere(mixed, tmp_path: Path) -> None:
    build_site(mixed, tmp_path)
    seen = 0
    for path in tmp_path.rglob("*.html"):
        page = Reader(path.read_text())
        for tag, name, value in page.attributes:
            if name in ("href", "src") and not value.startswith(("data:", "https:")):
                file, _, anchor = value.partition("#")
                to = (path.parent / file).resolve() if file else path
                assert to.is_file(), (path, tag, value)
                assert not anchor or f'id="{anchor}"' in to.read_text(), (path, value)
                seen += 1
    assert seen > 100


def test_other_suites_have_pages_and_tables_of_their_own(mixed, tmp_path: Path) -> None:
    front = build_site(mixed, tmp_path)
    ours, other = Reader(front.read_text()), Reader((tmp_path / "imported.html").read_text())
    assert "0.900" not in ours.text
    assert "0.900" in other.text
    assert "What other suites measured" in other.text
    assert "These are not ours: Theirs measured them under its own protocol" in other.text
    assert "their seconds count the test too" in other.text
    assert [name for name in IMPORTED_FILES if not (tmp_path / name).is_file()] == []
    assert set(pd.read_csv(tmp_path / "imported.csv")["label"]) == {"lora/r8", "prefix/r8"}
    assert 0.9 not in set(pd.read_csv(tmp_path / "table.csv")["score"])
    trial = next((tmp_path / "imported" / "records").glob("*.html")).read_text()
    assert "paretune run" not in trial, "no command of ours repeats it"
    assert "protocol.html#fields" not in trial
    assert "only in the JSON" not in trial
    assert len(list((tmp_path / "imported" / "records").glob("*.json"))) == 2


def as_ours(*groups):
    """Records as the maintainers', each study beside `new` superseded by it."""
    why = "{}: half of its runs learned nothing".format
    known = {}
    for record in (record for group in groups for record in group):
        study = record.study
        came = None if study == "new" else Superseded(study, "new", why(study))
        known[content_key(record)] = Origin("maintainers", superseded=came)
    return known


def test_superseded_boards_are_read_apart_and_say_why(make_record, tmp_path: Path) -> None:
    new = [make_record(seed=seed, study="new") for seed in range(3)]
    old = [make_record("prefix", seed=seed, study="old", score=0.93) for seed in range(3)]
    older = [make_record("prefix", seed=seed, study="older", score=0.94) for seed in range(3)]
    older += [make_record("prefix", seed=seed, study="older", task="imdb", score=0.94) for seed in range(3)]
    front = build_site([*new, *old, *older], tmp_path, origins=as_ours(new, old, older))
    said = {name: f"{name} is superseded by new: {name}: half of its runs" for name in ("old", "older")}
    assert set(pd.read_csv(tmp_path / "table.csv")["method"]) == {"lora"}
    for name, rows in (("old", 1), ("older", 2)):
        assert set(pd.read_csv(tmp_path / f"superseded-{name}.csv")["label"]) == {"prefix"}
        assert len(pd.read_csv(tmp_path / f"superseded-{name}.csv")) == rows
        assert said[name] in (tmp_path / f"superseded-{name}.md").read_text().replace("\\", "")
    ours = Reader(front.read_text())
    assert "0.93" not in ours.text
    assert "superseded by" not in ours.text
    assert "superseded.html" in {value for _, name, value in ours.attributes if name == "href"}
    listed = Reader((tmp_path / "superseded.html").read_text())
    assert all(sentence in listed.text for sentence in said.values())
    for board, other in (("older", "old"), ("old", "older")):
        pages = [f"superseded-{board}{part}.html" for part in ("", "-results", "-memory")]
        pages += [f"superseded-{board}/{part}.html" for part in ("methods/prefix", "tasks/index")]
        for name in pages:
            found = Reader((tmp_path / name).read_text()).text
            assert said[board] in found, name
            assert said[other] not in found, name
    assert not (tmp_path / "superseded-old" / "tasks" / "imdb.html").exists()
    told = ["is superseded by" in page.read_text() for page in (tmp_path / "records").glob("*.html")]
    assert (sum(told), len(told)) == (9, 12)
    index = json.loads((tmp_path / "api" / "v1" / "index.json").read_text())
    boards = {board["page"]: board for board in index["boards"]}
    assert {page: len(board["superseded"]) for page, board in boards.items()} == {
        "index.html": 0,
        "superseded-old.html": 1,
        "superseded-older.html": 1,
    }
    assert len({board["address"] for board in boards.values()}) == 3
    method = json.loads((tmp_path / "api" / "v1" / "methods" / "prefix.json").read_text())
    assert {result["superseded"] for result in method["results"]} == {True}


def test_alone_a_superseded_board_has_the_front_page_and_no_other_page_is_called_so(
    make_record, tmp_path: Path
) -> None:
    old = [make_record(seed=seed, study="old") for seed in range(3)]
    front = build_site(old, tmp_path, origins=as_ours(old))
    assert front == tmp_path / "index.html"
    assert "superseded by new" in front.read_text()
    assert "superseded by new" not in (tmp_path / "protocol.html").read_text()
    assert not (tmp_path / "superseded.html").exists()


def test_beside_a_superseded_board_what_others_report_is_called_that(make_record, tmp_path: Path) -> None:
    old = [make_record(seed=seed, study="old") for seed in range(3)]
    mine = [make_record(seed=seed, study="mine", score=0.9) for seed in range(3)]
    front = build_site([*old, *mine], tmp_path, origins=as_ours(old))
    for page in (front, tmp_path / "tasks" / "rotten_tomatoes.html"):
        assert "lora, self-reported has the highest score" in Reader(page.read_text()).text


IMPORTED_FILES = [
    *("imported.md", "imported.csv", "imported.json", "imported.tex", "imported.parquet"),
    *("imported-trials.csv", "imported-trials.parquet"),
    *("imported/tasks/index.html", "imported/tasks/rotten_tomatoes.html", "imported/methods/lora.html"),
]


def test_alone_another_suite_has_the_front_page_and_no_protocol_of_ours(make_record, tmp_path: Path) -> None:
    front = build_site([theirs(make_record())], tmp_path, title="Theirs")
    assert front == tmp_path / "index.html"
    assert "These are not ours" in front.read_text()
    assert not (tmp_path / "imported.html").exists()
    assert not (tmp_path / "protocol.html").exists()


def test_a_trial_as_set_and_as_searched_has_a_page_each(mixed, tmp_path: Path) -> None:
    build_site(mixed, tmp_path)
    records = tmp_path / "records"
    found = sorted(records.glob("*.json"))
    assert len(found) == len(list(records.glob("*.html"))) == 7
    tuned = [path for path in found if json.loads(path.read_text())["tuning"]]
    assert [json.loads(path.read_text())["tuning"]["trials"] for path in tuned] == [3, 3, 3]
    said = Reader(tuned[0].with_suffix(".html").read_text()).text
    assert "history, 1 values learning rate 0.0001, score 0.701, status completed" in said
    assert "optuna TPE" in said


def test_rows_apart_are_told_everywhere_and_ranked_nowhere(mixed, tmp_path: Path) -> None:
    ours = [record for record in mixed if record.suite is None]
    front = build_site(ours, tmp_path)
    reason = "1 of the 3 seeds that the protocol asks for"
    for page in (front, tmp_path / "tasks" / "rotten_tomatoes.html", tmp_path / "methods" / "head.html"):
        assert reason in Reader(page.read_text()).text
    assert "1 row is shown apart and not ranked." in Reader(front.read_text()).text
    assert 'data-method="head"' not in front.read_text()
    latex = latex_table(ours)
    assert latex.index(r"\multicolumn{8}{l}{Not ranked}") < latex.index("head")
    told = markdown_report(make_board(ours, "Title"))
    assert "Shown apart, not ranked:" in told
    assert f"* head: {reason}" in told
    assert "Fixed settings, or tuned: 3 trials each." in told


def test_where_nothing_is_ranked_there_is_no_table_to_filter(make_record, tmp_path: Path) -> None:
    page = Reader(build_site([make_record(tree_clean=False)], tmp_path).read_text())
    assert page.scripts == []
    assert "form" not in page.tags
    assert "uncommitted changes" in page.text


def test_each_row_says_who_measured_it(make_record, tmp_path: Path) -> None:
    ours, ada = make_record(), make_record("head")
    known = {
        content_key(ours): Origin("maintainers", ""),
        content_key(ada): Origin("self-reported", "ada"),
    }
    page = Reader(build_site([ours, ada], tmp_path, origins=known).read_text())
    results = Reader((tmp_path / "results.html").read_text())
    assert results.text.count("Measured by the maintainers.") == 1
    assert "not measured by the maintainers; by its mean it would be place 1 of 2" in page.text
    build_site([ours], tmp_path, origins=known)
    alone = Reader((tmp_path / "results.html").read_text())
    assert alone.text.lower().count("measured by the maintainers") == 1
    assert "self-reported (ada)" in page.text


def test_a_board_of_theirs_has_its_own_paths(make_record) -> None:
    board = make_board([theirs(make_record())], "Title", paths=IMPORTED)
    assert board.measured_by == "Theirs"
    assert board.chosen == ""
    assert {view.folder for view in board.views} == {"imported/"}
