"""The site: self-contained, complete, honest about its data, and safe with hostile records."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from reports import RecordError, build_site
from reports.records.schema import CurvePoint
from reports.site.parts.catalogue import Catalogue, MethodCard, ModelCard, OptionCard, TaskCard
from reports.site.parts.links import record_page
from reports.site.record import trial_page
from reports.stats.sections import sections


class Reader(HTMLParser):
    """Collects tags, attributes, inline executable scripts and visible text."""

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
            self.scripts += [dict(attrs)["src"]] if "src" in dict(attrs) else []

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


NOTES = """A method. It has a name.

    y = W x < b

* one thing
* another
  on two lines"""
CATALOGUE = Catalogue(
    methods=(
        MethodCard(
            name="lora",
            summary="Low-rank updates.",
            notes=NOTES,
            source="arXiv 2106.09685; microsoft/LoRA@c4593f0",
            places={"query": "low-rank update", "keys_values": "prefix"},
            mergeable=True,
            learning_rate=1e-3,
            options=(OptionCard(name="rank", default="8", description="inner dimension"),),
            citation="@article{hu}",
        ),
    ),
    tasks=(
        TaskCard(
            name="cola",
            title="Acceptability",
            description="Is it English?",
            license="none",
            homepage="javascript:alert(1)",
            citation="@article{warstadt}",
        ),
    ),
    models=(
        ModelCard(
            name="embedded",
            origin="small",
            seen={"cola": "cola.gz (<b>CoLA</b>)"},
            notes=("It <i>tilts</i>.",),
        ),
    ),
)


def _page(records, folder, name="index.html", **options):
    build_site(records, folder, **options)
    return Reader((folder / name).read_text(encoding="utf-8"))


def _every(folder):
    return {path.relative_to(folder).as_posix(): Reader(path.read_text()) for path in folder.rglob("*.html")}


def test_files_and_path(make_study, tmp_path):
    path = build_site(make_study(), tmp_path / "site", title="Pick one")
    assert path == tmp_path / "site" / "index.html"
    assert sorted(file.name for file in path.parent.iterdir()) == [
        *(".paretune-made", ".paretune-site", "api", "assets", "embed.html", "index.html"),
        *("memory.html", "methods"),
        *("protocol.html", "records", "results.html"),
        *("table.csv", "table.json", "table.md", "table.parquet", "table.tex", "tasks"),
        *("trials.csv", "trials.parquet"),
    ]
    assert len(list((path.parent / "records").glob("*.html"))) == 9
    assert "# Pick one" in (path.parent / "table.md").read_text()
    assert "<h1>Pick one</h1>" in path.read_text()


def test_a_second_build_writes_what_changed_and_nothing_else(make_study, make_record, tmp_path, monkeypatch):
    records = make_study(seeds=3)

    def built(records, **options):
        for path in tmp_path.rglob("*"):
            os.utime(path, (1, 1))
        build_site(records, tmp_path, **options)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {path.relative_to(tmp_path).as_posix() for path in files if path.stat().st_mtime != 1}

    everything = built(records)
    assert len([name for name in everything if name.startswith("records/")]) == 2 * len(records)
    made = []
    monkeypatch.setattr("reports.site.build.trial_page", lambda *all: made.append(all) or trial_page(*all))
    assert built(records) == set()
    assert made == []
    more = make_record("lora", task="cola", seed=7)
    changed = built([*records, more])
    assert [name for name in changed if name.startswith("records/")] == [
        name for name in changed if name.startswith(record_page(more)[:-4])
    ]
    assert len(made) == 1
    assert {"index.html", "trials.csv", "tasks/cola.html"} <= changed
    edited = tmp_path / record_page(more)
    before = edited.read_text()
    edited.write_text("edited")
    assert built([*records, more]) == {record_page(more)}
    assert edited.read_text() == before
    assert not built(records) & {record_page(record) for record in records}
    assert not edited.exists()
    titled = built(records, title="Another heading")
    assert {record_page(record) for record in records} <= titled


def test_no_records_is_one_sentence(tmp_path):
    with pytest.raises(RecordError, match="no records to report on"):
        build_site([], tmp_path)


def test_every_link_leads_somewhere_inside(make_study, make_record, tmp_path):
    records = [*make_study(seeds=3), make_record("x/../y", task="cola", model="A b")]
    build_site(records, tmp_path, catalogue=CATALOGUE)
    for name, page in _every(tmp_path).items():
        ids = {value for _, attribute, value in page.attributes if attribute == "id"}
        assert len(ids) == sum(attribute == "id" for _, attribute, _ in page.attributes), name
        for _, attribute, value in page.attributes:
            if attribute in ("src", "href", "action", "data", "srcset", "aria-labelledby"):
                if value.startswith("https://"):
                    assert name.startswith(("methods/", "tasks/")), value
                elif attribute == "aria-labelledby" or value.startswith("#"):
                    assert value.removeprefix("#") in ids, (name, value)
                elif value != "data:,":
                    target, _, anchor = value.partition("#")
                    found = (tmp_path / name).parent / target
                    assert found.is_file(), (name, value)
                    assert not anchor or f'id="{anchor}"' in found.read_text(), (name, value)


def test_nothing_is_loaded_from_anywhere_and_only_our_own_scripts_run(make_study, tmp_path):
    build_site(make_study(), tmp_path)
    nonces = []
    for page in _every(tmp_path).values():
        policy = next(value for _, name, value in page.attributes if value.startswith("default-src"))
        nonce = re.search(r"script-src 'nonce-([0-9a-f]{32})'; style-src 'nonce-\1'", policy)
        assert policy.startswith("default-src 'none'; script-src 'nonce-")
        assert "http" not in policy
        assert "unsafe" not in policy
        nonces.append(nonce[1])
        for script in page.scripts:
            assert re.fullmatch(r"(\.\./)*assets/[A-Za-z0-9.]+\.js", script)
        assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert len(set(nonces)) == len(nonces)  # each page has its own


def test_a_record_cannot_know_the_nonce(make_record, tmp_path):
    def nonces(record, folder):
        build_site([record], folder)
        pages = {path.relative_to(folder): path.read_text() for path in folder.rglob("*.html")}
        return {name: (re.search(r"nonce-([0-9a-f]{32})", page)[1], page) for name, page in pages.items()}

    first = nonces(make_record(), tmp_path / "1")
    assert nonces(make_record(), tmp_path / "2") == first
    told = 0
    for nonce, _ in first.values():
        for mine, page in nonces(make_record(study=nonce), tmp_path / "3").values():
            assert mine != nonce or nonce not in re.sub(r"(nonce-|nonce=\")[0-9a-f]+", "", page)
            told += nonce in page
    assert told


def test_table_semantics_and_front_markers(make_study, tmp_path):
    page = _page(make_study(), tmp_path, "results.html")
    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("caption") == page.tags.count("table") == 1
    assert page.text.count("(perhaps on the Pareto front)") == 6  # one seed does not settle it
    assert (
        "full (perhaps on the Pareto front) Repeat : copy the command that repeats full on rotten_tomatoes "
        "rotten_tomatoes embedded (22.7 M) 0.815 1 seed 0 of 1 0 % to 98 % 1 22,713,986 method 100 % 512 MB "
        "61.0 s A, seed 0 ×1.00" in page.text
    )
    numbers = next(value for _, name, value in page.attributes if name == "data-parameters")
    assert numbers == "22713986"


def test_what_can_be_limited_are_round_numbers_within_the_data(make_study, tmp_path):
    build_site(make_study(), tmp_path)
    html = (tmp_path / "results.html").read_text()
    limits = re.search(r'name="memory" data-limit>(.*?)</select>', html)[1]
    values = [float(value) for value in re.findall(r'value="([0-9.e+]+)"', limits)]
    assert values == [2e8, 5e8]
    assert "500 MB" in limits


def test_pages_of_tasks_methods_and_models(make_record, tmp_path):
    records = [
        make_record(),
        make_record(task="cola", metric="f1", more_metrics={"accuracy": 0.6543}),
        make_record(task="cola", model="other/model", metric="f1", more_metrics={"accuracy": None}),
    ]
    page = _page(records, tmp_path, "tasks/cola.html", catalogue=CATALOGUE)
    assert page.text.count("All metrics of the reported split") == 2
    assert "0.654" in page.text
    assert "Acceptability" in page.text
    assert "Is it English?" in page.text
    assert "@article{warstadt}" in page.text
    assert not [value for _, name, value in page.attributes if name == "href" and "script" in value]
    method = _page(records, tmp_path, "methods/lora.html", catalogue=CATALOGUE)
    assert method.text.count("embedded (22.7 M)") == 2
    assert "y = W x < b" in method.text
    assert "another on two lines" in method.text
    assert "rank 8 inner dimension" in method.text
    assert "query: low-rank update" in method.text
    assert ("a", "href", "https://arxiv.org/abs/2106.09685") in method.attributes
    assert "294,912" in method.text, "the closed form beside what the paper prints"
    assert "text" in method.tags, "the figure of where it acts"


def test_what_a_model_has_seen_stands_on_the_pages_of_task_and_protocol(make_record, tmp_path):
    records = [
        make_record(task=task, model=model) for task in ("cola", "sst2") for model in ("embedded", "b")
    ]
    seen = (
        "Not unseen: embedded (22.7 M) was trained on cola.gz (<b>CoLA</b>), by its own list of training data"
    )
    page = _page(records, tmp_path, "tasks/cola.html", catalogue=CATALOGUE)
    assert seen in page.text
    assert page.text.count("Not unseen") == 1
    assert ("a", "href", "../protocol.html#models-title") in page.attributes
    assert "Not unseen" not in Reader((tmp_path / "tasks/sst2.html").read_text()).text
    protocol = Reader((tmp_path / "protocol.html").read_text())
    assert (
        "Where the models come from embedded. It is small. Its own list of training data has" in protocol.text
    )
    assert "has cola.gz (<b>CoLA</b>): cola is not unseen by it. It <i>tilts</i>." in protocol.text
    assert ("h2", "id", "models-title") in protocol.attributes
    assert "Where the models" not in _page(records, tmp_path / "bare", "protocol.html").text


def test_tasks_of_one_collection_are_told_where_they_count_together(make_record, tmp_path):
    drawn = {"cola": "the <b>books</b>", "sst2": "", "mrpc": "the <b>books</b>", "stsb": "another"}
    facts = {"title": "t", "description": "d", "license": "l", "homepage": "h", "citation": None}
    cards = tuple(TaskCard(name=name, collection=one, **facts) for name, one in drawn.items())
    records = [
        make_record(method, task=task, seed=seed)
        for method in ("lora", "head")
        for task in drawn
        for seed in (0, 1, 2)
    ]
    build_site(records, tmp_path, catalogue=Catalogue(tasks=cards))
    told = (tmp_path / "index.html").read_text()
    assert told.count("; cola and mrpc share a collection of texts") == 1
    assert "sst2 and" not in told
    protocol = Reader((tmp_path / "protocol.html").read_text()).text
    assert "cola and mrpc, as separate evidence: their texts are drawn from the <b>books</b>" in protocol
    bare = _page(records, tmp_path / "bare", "protocol.html").text
    assert "as separate evidence" not in bare


def test_published_scores_stand_apart(make_record, tmp_path):
    page = _page([make_record(task="cola"), make_record("head", task="cola")], tmp_path, "tasks/cola.html")
    assert "Published elsewhere" in page.text
    assert "Method Model matthews correlation Trained parameters" in page.text
    assert "LoRA RoBERTa-base 0.634 300,000" in page.text
    table = pd.read_csv(tmp_path / "table.csv")
    assert set(table["model"]) == {"embedded"}
    assert len(table) == 2


def test_how_it_was_measured(make_study, tmp_path):
    said = _page(make_study(study="my study"), tmp_path, "tasks/rotten_tomatoes.html").text
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
    protocol = Reader((tmp_path / "protocol.html").read_text()).text
    assert "6,817 to train on" in protocol
    assert "forward, backward and update; no evaluation; since schema 5 no loading either" in protocol


def test_a_rate_at_an_end_of_what_was_searched_is_a_warning(make_record, tmp_path):
    records = []
    for method, chosen in (("lora", 0.01), ("head", 0.01), ("full", 0.003), ("bitfit", 0.001)):
        record = make_record(method, tuning=True, learning_rate=chosen)
        space = {"learning_rate": {"values": [0.001, 0.003, 0.01]}}
        tuning = record.tuning.model_copy(update={"space": space, "chosen": {"learning_rate": chosen}})
        records.append(record.model_copy(update={"tuning": tuning}))
    build_site(records, tmp_path)
    told = Reader((tmp_path / "protocol.html").read_text()).text
    ending = "that was searched: what lies beyond it may be better."
    assert f"The learning rate found for head and lora is the highest {ending}" in told
    assert f"The learning rate found for bitfit is the lowest {ending}" in told
    assert told.count(ending) == 2


def test_warnings_are_visible(make_record, tmp_path):
    other = make_record("bitfit")
    other = other.model_copy(
        update={
            "model": other.model.model_copy(update={"revision": "x"}),
            "environment": other.environment.model_copy(update={"threads": 4}),
        }
    )
    records = [make_record(tree_clean=False), make_record("head", control=(1.01, 1.04)), other]
    build_site(records, tmp_path)
    for name in ("tasks/rotten_tomatoes.html", "protocol.html"):
        said = Reader((tmp_path / name).read_text()).text
        assert "uncommitted changes" in said
        assert "The A/A control of head excludes ×1" in said
        assert "2 different model revisions" in said
        assert "2 machines or thread counts" in said


def test_a_trials_page_holds_everything_and_how_to_repeat_it(make_record, tmp_path):
    points = [
        CurvePoint(step=step, train_loss=0.6, selection={"accuracy": 0.5 + step / 1000}) for step in (60, 120)
    ]
    record = make_record(options={"rank": 8}).model_copy(update={"curve": tuple(points)})
    name = record_page(record).removesuffix(".html")
    page = _page([record], tmp_path, f"{name}.html")
    for fact in (
        "option, rank 8",
        "learning rate 0.001",
        "report, accuracy 0.807",
        "peak training bytes 334 MB (334,000,000)",
        "unmerged, ratio 1.21",
        "product flops per second 1.5e+11",
        "packages, torch 2.10.0",
        "With the code of commit 0123456789abcdef0123456789abcdef01234567",
        "60 0.600 0.560",
        "paretune run trial.yaml",
    ):
        assert fact in page.text, fact
    assert "polyline" in page.tags
    assert (tmp_path / f"{name}.json").read_text() == record.model_dump_json()


def test_costs_that_lie_elsewhere_or_nowhere_are_told(make_record, tmp_path):
    """Costs are measured with one seed, and what could not be measured is named with the reason."""
    first, second = make_record(seed=0), make_record(seed=1)
    first = first.model_copy(update={"serving": None, "gaps": {"serving": "OSError: <b>no space</b>"}})
    bare = dict.fromkeys(("memory", "latency", "compute", "serving", "checkpoint_bytes"))
    second = second.model_copy(update={**bare, "costs_from": first.trial_id})
    pages = {one.spec["seed"]: record_page(one) for one in (first, second)}
    found = {seed: _page([first, second], tmp_path, page) for seed, page in pages.items()}
    assert "Serving was not measured. OSError: <b>no space</b>" in found[0].text
    assert "were measured once for this setting, with seed 0" in found[1].text
    assert f"../{pages[0]}" in (tmp_path / pages[1]).read_text()
    table = (tmp_path / "tasks/rotten_tomatoes.html").read_text()
    assert "334" in table  # the row has the costs of the seed that has them


def test_two_paths_of_one_model_are_one_section(make_record, tmp_path):
    own = {"model_sha256": "ab" * 32}
    records = [make_record(model=path, seed=seed) for seed, path in enumerate(("./m", "/home/m"))]
    records = [r.model_copy(update={"spec": {**r.spec, **own}}) for r in records]
    (section,) = sections(records)
    (row,) = section.every_row
    assert len(row.records) == 2


def test_failures_are_listed_with_their_message(make_record, tmp_path):
    failed = make_record("prompt", seed=4, status="out_of_memory", message="asked for 9 GB")
    records = [make_record(), failed]
    said = _page(records, tmp_path, "tasks/rotten_tomatoes.html").text
    assert "prompt , seed 4 : out of memory. asked for 9 GB" in said
    assert "0 of 1 completed" in said
    page = Reader((tmp_path / record_page(failed)).read_text())
    assert "Out of memory. asked for 9 GB" in page.text


def test_records_without_optional_parts(make_record, tmp_path):
    bare = make_record().model_copy(update={"memory": None, "latency": None, "checkpoint_bytes": None})
    failed = make_record("head", status="failed", message="no such model")
    nothing = {"model": None, "task": None, "parameters": None}
    page = _page([bare, failed.model_copy(update=nothing)], tmp_path, "results.html")
    assert "74,498 method 0.32 % 36.0 s A, seed 0 –" in page.text
    assert not (tmp_path / "memory.html").exists()
    assert "no such model" in Reader((tmp_path / "tasks/rotten_tomatoes.html").read_text()).text
    only = _page([failed.model_copy(update=nothing)], tmp_path / "only")
    assert "nothing to compare" in only.text


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "javascript:alert(1)",
    "'\nEND\nrm -rf ~\n",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(make_record, tmp_path, hostile):
    def records(name):
        more = {"m": 0.5}
        names = {"task": name, "model": name, "metric": name, "more_metrics": more}
        good = make_record(name, options={name: name}, study=name, protocol={name: name}, **names)
        bad = make_record("b", status="failed", message=name, **names)
        environment = good.environment.model_copy(
            update={"device_name": name, "commit": name, "packages": {name: name}, "platform": name}
        )
        return [good.model_copy(update={"environment": environment, "trial_id": name}), bad]

    build_site(records("plain"), tmp_path / "a")
    build_site(records(hostile), tmp_path / "b")
    clean, dirty = _every(tmp_path / "a"), _every(tmp_path / "b")
    assert len(clean) == len(dirty)
    shape = sorted((page.tags, page.scripts) for page in clean.values())
    assert sorted((page.tags, page.scripts) for page in dirty.values()) == shape
    for page in dirty.values():
        assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    line = " ".join(hostile.split())
    assert line in dirty["index.html"].text
    trials = [path.read_text() for path in (tmp_path / "b" / "records").glob("*.html")]
    assert [said.count("\nEND\n") for said in trials] == [1, 1], "what a shell reads ends where we say"
    for name in ("table.md", "table.csv", "table.tex", "table.json", "table.parquet"):
        assert (tmp_path / "b" / name).exists()
    markdown = (tmp_path / "b" / "table.md").read_text()
    assert "<s" not in markdown
    assert "<i" not in markdown


def test_costs_are_shown_in_detail_where_they_were_measured(make_record, tmp_path):
    record = make_record()
    build_site([record], tmp_path)
    html = (tmp_path / "tasks/rotten_tomatoes.html").read_text()
    assert "what the peak of a training step consists of" in html
    assert "Serving many tasks from one base" in html
    assert "700 MFLOP" in html
    old = record.model_copy(update={"compute": None, "serving": None, "memory": None})
    build_site([old], tmp_path)
    html = (tmp_path / "tasks/rotten_tomatoes.html").read_text()
    assert "what the peak of a training step consists of" not in html
    assert "Serving many tasks" not in html


def test_same_records_same_site(make_study, tmp_path):
    build_site(make_study(), tmp_path / "1")
    build_site(make_study()[::-1], tmp_path / "2")
    files = [path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*") if path.is_file()]
    assert len(files) > 30
    for file in files:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes(), file
