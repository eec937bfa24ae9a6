"""Hostile submissions: text stays text in every page and table, whatever field it is in.

Every string of `hostile_strings.json` goes through a file, the reader, the tables and all exports.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports import RecordError, build_site, write_serving
from reports.records.latency_files import read_latencies, write_latency
from reports.records.latency_schema import LatencyRecord
from reports.records.origins import origins
from reports.records.reading import read_all
from reports.records.schema import FurtherReport, Suite
from reports.records.store import located_records, write_record
from reports.site.parts.html import assets
from reports.tables.formats import safe_csv
from reports.tables.markdown import escape_markdown
from reports.text import clean

from .servings import build_serving
from .site.test_build import Reader

STRINGS: dict[str, list[str]] = json.loads((Path(__file__).parents[1] / "hostile_strings.json").read_text())
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
LINK = (
    r"#[a-z0-9-]+|data:,|(\.\./)*[a-z0-9_][\w.-]*(/[a-z0-9_-][\w.-]*)*(#[a-z0-9-]+)?|https://[A-Za-z0-9./_-]+"
)
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def _with_parts(record, hostile):
    """A record with a string in every text that it holds but those that name its section."""
    where = record.environment
    return record.model_copy(
        update={
            "model": record.model.model_copy(update={"architecture": hostile, "revision": hostile}),
            "environment": where.model_copy(
                update={
                    **dict.fromkeys(
                        ("paretune_version", "commit", "python", "platform", "device", "device_name"), hostile
                    ),
                    "packages": {hostile: hostile},
                }
            ),
            "memory": record.memory and record.memory.model_copy(update={"method": hostile}),
            "started_at": hostile,
        }
    )


def _rows(make_record, strings):
    """One comparison with a method for every string, half of them not completed."""
    for number, hostile in enumerate(strings):
        yield _with_parts(
            make_record(
                hostile,
                seed=number,
                options={hostile: hostile, "list": [hostile], "nested": {hostile: [hostile]}},
                protocol={hostile: hostile},
                study=hostile,
                status="completed" if number % 2 else "failed",
                message=None if number % 2 else f"x{hostile}",
            ),
            hostile,
        )


def _sections(make_record, strings):
    """A comparison for every string: in the names of task, model and metrics."""
    for hostile in strings:
        record = make_record(
            task=hostile, model=hostile, metric=hostile, more_metrics={f"{hostile} 2": 0.25}, unit=hostile
        )
        task = record.task.model_copy(update=dict.fromkeys(("source", "license", "data_sha256"), hostile))
        scores = dict.fromkeys(record.scores.report, 0.5)
        other = FurtherReport(
            examples=3, left_out=1, truncated=0, data_sha256=hostile, scores=scores, majority=scores
        )
        yield record.model_copy(update={"task": task, "further_reports": {hostile: other}})


def _imported(make_record, strings):
    """Records that say another suite measured them."""
    for number, hostile in enumerate(strings):
        suite = Suite(
            **dict.fromkeys(("name", "experiment", "label"), f"x{hostile}"),
            **dict.fromkeys(("status", "file_sha256"), hostile),
            url="https://example.org/results",
            notes=(hostile,),
            original={"text": hostile},
        )
        yield make_record("theirs", seed=number).model_copy(update={"suite": suite})


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The tags of a site without anything hostile, with every kind of page."""
    from .conftest import build_record

    folder = tmp_path_factory.mktemp("plain")
    records = [
        build_record(more_metrics={"m": 0.5}),
        build_record("head", status="failed", more_metrics={"m": 0.5}),
        build_record("prefix", tree_clean=False, more_metrics={"m": 0.5}),
        build_record("head", task="other"),
        *_imported(build_record, ["x"]),
    ]
    build_site(records, folder)
    return {tag for path in folder.rglob("*.html") for tag in Reader(path.read_text()).tags}


def _through(records, folder):
    """Write, read and build a site; return its folder."""
    for record in records:
        write_record(record, folder / "records")
    located = located_records(folder / "records")
    assert len(located) == len(records)
    build_site(list(located.values()), folder / "site", origins=origins(located))
    return folder / "site"


def _check(site, plain):
    for path in site.rglob("*"):
        if path.suffix == ".html":
            _check_page(path, plain)
        elif path.suffix == ".csv":
            _check_csv(path.read_text(encoding="utf-8"))
        elif path.suffix == ".md":
            _check_markdown(path.read_text(encoding="utf-8"))
        elif path.suffix == ".tex":
            _check_latex(path.read_text(encoding="utf-8"))
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        assert path.resolve().is_relative_to(site.resolve())


def _check_page(path, plain):
    html = path.read_text(encoding="utf-8")
    page = Reader(html)
    _check_scripts(page)
    assert set(page.tags) <= plain
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "src", "action", "data", "srcset", "formaction"):
            assert re.fullmatch(LINK, value, re.ASCII), value
    policy = next(value for _, name, value in page.attributes if value.startswith("default-src"))
    assert "default-src 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'none'" in policy
    assert "unsafe" not in policy
    odd = {char for char in "".join(page.data) if unicodedata.category(char) in INVISIBLE and char != "\n"}
    assert not odd


def _check_scripts(page):
    """Every script is a file of ours that carries the page's nonce; none is written into the page."""
    ours = {f"assets/{name}" for name in assets()}
    assert {script.replace("../", "") for script in page.scripts} <= ours
    assert len(page.scripts) == sum((tag, name) == ("script", "src") for tag, name, _ in page.attributes)
    nonces = [value for tag, name, value in page.attributes if (tag, name) == ("script", "nonce")]
    assert len(nonces) == len(page.scripts)


def _check_csv(content):
    rows = list(csv.reader(io.StringIO(content)))
    assert len({len(row) for row in rows}) == 1
    for row in rows:
        for cell in row:
            assert not cell.lstrip().startswith(FORMULA) or re.fullmatch(r"-[\d.e+-]+", cell), cell
            assert not any(unicodedata.category(char) in INVISIBLE for char in cell)


def _check_markdown(content):
    for line in content.splitlines():
        bare = re.sub(r"\\.", "", line)
        assert "<" not in bare
        assert "](" not in bare
        assert "://" not in bare
        assert "`" not in bare
        assert "www." not in bare.lower()
        assert "@" not in bare
        assert not any(unicodedata.category(char) in INVISIBLE for char in line)
        if line.startswith("|"):
            assert bare.count("|") in (10, 11), line  # one more where a further report split is shown


def _check_latex(content):
    commands = set(re.findall(r"\\([A-Za-z]+)", content))
    assert not commands & {"input", "write", "immediate", "def", "catcode", "csname", "verb"}


@pytest.mark.parametrize("family", STRINGS)
def test_as_a_method_and_in_every_text_of_a_record(make_record, tmp_path, plain, family):
    _check(_through(list(_rows(make_record, STRINGS[family])), tmp_path), plain)


@pytest.mark.parametrize("family", STRINGS)
def test_as_a_task_a_model_and_a_metric(make_record, tmp_path, plain, family):
    _check(_through(list(_sections(make_record, STRINGS[family])), tmp_path), plain)


def test_as_the_result_of_another_suite(make_record, tmp_path, plain):
    strings = [hostile for family in STRINGS.values() for hostile in family][::4]
    _check(_through([make_record(), *_imported(make_record, strings)], tmp_path), plain)


def test_a_hostile_text_is_seen_as_it_is(make_record, tmp_path):
    record = make_record("<script>alert(1)</script>", study="$(touch x)", options={"rank": "</td><td>"})
    site = _through([record], tmp_path)
    assert "<script>alert(1)</script>" in Reader((site / "index.html").read_text()).text
    page = Reader((site / "tasks" / "rotten_tomatoes.html").read_text())
    assert "<script>alert(1)</script>" in page.text
    assert "paretune run '$(touch x)'" in page.text
    assert "rank </td><td>" in page.text


def test_a_study_is_never_an_option_of_the_command(make_record, tmp_path):
    site = _through([make_record(study="--out=/x")], tmp_path)
    page = Reader((site / "tasks" / "rotten_tomatoes.html").read_text())
    assert "paretune run -- --out=/x" in page.text


def test_a_latency_comparison(make_record, tmp_path):
    row = {"latency_ms_p50": 1.0, "latency_ms_p95": 1.1, "ratio": 1.0, "ratio_low": 0.9, "ratio_high": 1.1}
    strings = [hostile for family in STRINGS.values() for hostile in family]
    entry = {**row, "merged": False, "parameters": 5, "max_input_length": 9}
    for number, batch in enumerate((1, 8)):
        entries = [
            {**entry, "label": label, "method": None, "options": {}} for label in ("base", "base again")
        ] + [{**entry, "label": text, "method": text, "options": {text: text}} for text in strings]
        record = LatencyRecord(
            **dict.fromkeys(("study", "model", "architecture", "weights", "dtype"), strings[number]),
            **{"phase": "forward", "batch_size": batch, "sequence_length": 8, "decode_tokens": None},
            **{"base_parameters": 5, "rounds": 10, "width_asked": 0.1, "widest": 0.1, "seconds_limit": 1.0},
            **{"seed": 0, "entries": entries, "started_at": strings[0]},
            environment=make_record().environment,
        )
        write_latency(record, tmp_path / "latency")
    build_site([make_record()], tmp_path / "site", latencies=read_latencies(tmp_path / "latency"))
    for path in (tmp_path / "site").glob("*.csv"):
        _check_csv(path.read_text())
    page = Reader((tmp_path / "site" / "latency.html").read_text())
    _check_scripts(page)
    assert page.scripts
    assert not {tag for tag in page.tags if tag in ("img", "iframe", "svg", "object", "base")}
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_a_record_of_serving(make_record, tmp_path):
    strings = [hostile for family in STRINGS.values() for hostile in family]
    for number, hostile in enumerate(strings):
        environment = _with_parts(make_record(), hostile).environment
        record = build_serving(
            **dict.fromkeys(("study", "architecture", "weights", "dtype"), strings[number % 2]),
            **dict.fromkeys(("label", "method"), hostile),
            **{"model": strings[number % 2], "options": {hostile: hostile}, "started_at": hostile},
            **{"environment": environment, "rows": (1, 8), "lengths": (16,), "tasks": (1, 4)},
        )
        write_serving(record, tmp_path / "serving")
    found = read_all(tmp_path / "serving")
    assert found.left_out == {}
    site = tmp_path / "site"
    build_site([make_record()], site, servings=list(found.servings.values()))
    for path in site.glob("*.csv"):
        _check_csv(path.read_text())
    html = (site / "serving.html").read_text()
    page = Reader(html)
    _check_scripts(page)
    assert page.scripts
    assert not {tag for tag in page.tags if tag in ("img", "iframe", "svg", "object", "base")}
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    odd = {char for char in "".join(page.data) if unicodedata.category(char) in INVISIBLE and char != "\n"}
    assert not odd
    assert "<script>alert(1)</script>" in page.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text() | st.sampled_from([hostile for family in STRINGS.values() for hostile in family]))
def test_exports_of_any_text(text):
    import pandas as pd

    _check_csv(safe_csv(pd.DataFrame({text: [text], "number": [-0.5]})))
    line = escape_markdown(text)
    _check_markdown(f"x {line}")
    assert not re.match(r"\s*([-+*>#=]|\d+[.)])(\s|$|[-=])", line)
    assert clean(clean(text)) == clean(text)
    assert len(clean(text)) <= 200


@pytest.mark.parametrize(
    "url",
    [*STRINGS["links"], "http://example.org", "https://example.org/a b", "https://example.org/?a=<b>"],
)
def test_a_link_is_plain_https_or_refused(url):
    with pytest.raises(ValueError, match="url"):
        Suite(
            name="x", experiment="x", label="x", status="x", notes=(), file_sha256="x", original={}, url=url
        )


@pytest.mark.parametrize("name", STRINGS["paths"])
def test_no_text_becomes_a_path(make_record, tmp_path, name):
    file = write_record(make_record(name, task=name, model=name), tmp_path / "in")
    assert file.parent == tmp_path / "in"
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.json", file.name)
    assert not file.name.endswith(".latency.json")


def test_a_name_that_repeats_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"schema_version": 2, "status": "failed", "status": "completed"}')
    with pytest.raises(RecordError, match=r'\$ has an object with the name "status" twice'):
        located_records(tmp_path)
