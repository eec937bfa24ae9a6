"""The page: self-contained, complete, honest about its data, and safe with hostile records."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from reports import RecordError, build_site


class Reader(HTMLParser):
    """Collects tags, attributes, executable scripts and visible text."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.data: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._inside = tag
        if tag == "script":
            kind = dict(attrs).get("type")
            self._inside = "script" if kind is None else "data"

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside not in ("style", "data"):
            self.data.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.data).split())


def _page(records, folder):
    return Reader(build_site(records, folder).read_text(encoding="utf-8"))


def test_files_and_path(make_study, tmp_path):
    path = build_site(make_study(), tmp_path / "site", title="Pick one")
    assert path == tmp_path / "site" / "index.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["index.html", "table.csv", "table.md"]
    assert "# Pick one" in (path.parent / "table.md").read_text()
    assert "<h1>Pick one</h1>" in path.read_text()


def test_no_records_is_one_sentence(tmp_path):
    with pytest.raises(RecordError, match="no records to report on"):
        build_site([], tmp_path)


def test_no_request_to_anywhere(make_study, tmp_path):
    page = _page(make_study(), tmp_path)
    links = [
        value for _, name, value in page.attributes if name in ("src", "href", "action", "data", "srcset")
    ]
    assert set(links) == {"data:,", "table.md", "table.csv"}
    policy = next(value for _, name, value in page.attributes if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy


def test_policy_allows_exactly_the_scripts_of_the_page(make_study, tmp_path):
    page = _page(make_study(), tmp_path)
    policy = next(value for _, name, value in page.attributes if value.startswith("default-src"))
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert len(hashes) == 2


def test_table_semantics_and_front_markers(make_study, tmp_path):
    page = _page(make_study(), tmp_path)
    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("caption") == page.tags.count("table") == 5
    assert page.text.count("(on the Pareto front)") == 6
    assert "full (on the Pareto front) 0.815 22,713,986 method 100 % of base 512 MB 61.0 s ×1.00" in page.text


def test_a_section_per_model_and_task_with_all_metrics(make_record, tmp_path):
    records = [
        make_record(),
        make_record(task="mrpc", metric="f1", more_metrics={"accuracy": 0.6543}),
        make_record(task="mrpc", model="other/model", metric="f1", more_metrics={"accuracy": None}),
    ]
    page = _page(records, tmp_path)
    assert page.tags.count("section") == 3
    assert page.text.count("All metrics of the reported split") == 2
    assert "0.654" in page.text
    assert ("a", "href", "#part-3") in page.attributes


def test_how_it_was_measured(make_study, tmp_path):
    said = _page(make_study(study="my study"), tmp_path).text
    for fact in (
        "Fixed settings.",
        "sha256:5d5d5d5d5d5d",
        "6,817 to train on",
        "853 to choose the checkpoint (selection)",
        "7 examples whose text is also in another split",
        "abababababab",
        "measured by tensors, batch 32 × 61 tokens",
        "batch 1, 32 tokens, 60 rounds",
        "2 threads",
        "a second untouched base took ×1.000 to ×1.000 of the first",
        "torch 2.10.0",
        "commit 0123456789ab, clean tree",
        "paretune run 'my study'",
        "alpha 16, rank 8, target query, value 0.001 240 32",
    ):
        assert fact in said
    assert "Caution" not in said


def test_warnings_are_visible(make_record, tmp_path):
    other = make_record("bitfit")
    other = other.model_copy(
        update={
            "model": other.model.model_copy(update={"revision": "x"}),
            "environment": other.environment.model_copy(update={"threads": 4}),
        }
    )
    records = [make_record(tree_clean=False), make_record("head", control=(1.01, 1.04)), other]
    said = _page(records, tmp_path).text
    assert "uncommitted changes" in said
    assert "The A/A control of head excludes ×1" in said
    assert "2 different model revisions" in said
    assert "2 machines or thread counts" in said


def test_failures_are_listed_with_their_message(make_record, tmp_path):
    records = [make_record(), make_record("prompt", seed=4, status="out_of_memory", message="asked for 9 GB")]
    said = _page(records, tmp_path).text
    assert "prompt , seed 4: out of memory. asked for 9 GB" in said
    assert "0 of 1 completed" in said


def test_records_without_optional_parts(make_record, tmp_path):
    bare = make_record().model_copy(update={"memory": None, "latency": None, "checkpoint_bytes": None})
    failed = make_record("head", status="failed", message="no such model")
    nothing = {"model": None, "task": None, "parameters": None}
    page = _page([bare, failed.model_copy(update=nothing)], tmp_path)
    assert "74,498 method 0.32 % of base – 36.0 s – – –" in page.text
    assert "no such model" in page.text
    only = _page([failed.model_copy(update=nothing)], tmp_path / "only")
    assert "nothing to compare" in only.text


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(make_record, tmp_path, hostile):
    more = {"m": 0.5}
    plain = [
        make_record(task="t", more_metrics=more),
        make_record("b", task="t", more_metrics=more, status="failed"),
    ]
    clean = _page(plain, tmp_path / "a")
    names = {"task": hostile, "model": hostile, "metric": hostile, "more_metrics": more}
    good = make_record(
        hostile, options={hostile: hostile}, study=hostile, protocol={hostile: hostile}, **names
    )
    bad = make_record("b", status="failed", message=hostile, **names)
    environment = good.environment.model_copy(
        update={
            "device_name": hostile,
            "commit": hostile,
            "packages": {hostile: hostile},
            "platform": hostile,
        }
    )
    page = _page([good.model_copy(update={"environment": environment}), bad], tmp_path / "b")
    assert page.scripts == clean.scripts
    assert set(page.tags) == set(clean.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert hostile in page.text
    for name in ("table.md", "table.csv"):
        assert (tmp_path / "b" / name).exists()
    markdown = (tmp_path / "b" / "table.md").read_text()
    assert "<s" not in markdown
    assert "<i" not in markdown


def test_costs_are_shown_in_detail_where_they_were_measured(make_record, tmp_path):
    record = make_record()
    html = build_site([record], tmp_path).read_text()
    assert "what the peak of a training step consists of" in html
    assert "Serving many tasks from one base" in html
    assert "700 MFLOP" in html
    old = record.model_copy(update={"compute": None, "serving": None, "memory": None})
    html = build_site([old], tmp_path).read_text()
    assert "what the peak of a training step consists of" not in html
    assert "Serving many tasks" not in html


def test_same_records_same_page(make_study, tmp_path):
    first = build_site(make_study(), tmp_path / "1").read_bytes()
    assert build_site(make_study()[::-1], tmp_path / "2").read_bytes() == first
