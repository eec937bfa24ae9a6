"""What programs read: every document is as its schema says, leads somewhere, and says what the tables say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports import build_site
from reports.site.parts.api_schema import FOLDER, VERSION

HOSTILE = "<img src=https://evil.example/x onerror=window.ran=1><script>window.ran=1</script>"


@pytest.fixture(scope="module")
def site(tmp_path_factory, make_record, make_study) -> Path:
    records = [
        *make_study(seeds=3),
        make_record(task="imdb"),
        make_record("head", task="imdb", score=0.6),
        make_record("head", task="imdb", status="failed", seed=1),
        make_record(HOSTILE, task="imdb", score=0.55, options={HOSTILE: HOSTILE}, study=HOSTILE),
    ]
    folder = tmp_path_factory.mktemp("site")
    build_site(records, folder)
    return folder


def read(site: Path, address: str) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(f"{address} has {name}, which is no JSON")

    return json.loads((site / address).read_text(encoding="utf-8"), parse_constant=refuse)


def every(site: Path) -> dict[str, tuple[str, Any]]:
    """Each document by address, with its kind."""
    index = read(site, f"{FOLDER}/index.json")
    found = {f"{FOLDER}/index.json": ("index", index)}
    for kind in ("board", "method", "task"):
        for entry in index[f"{kind}s"]:
            found[entry["address"]] = (kind, read(site, entry["address"]))
    return found


def test_every_document_is_as_its_published_schema_says(site: Path) -> None:
    found = every(site)
    index = found[f"{FOLDER}/index.json"][1]
    for kind, document in found.values():
        jsonschema.validate(document, read(site, index["schemas"][kind]))
        assert document["version"] == VERSION
    assert {path.relative_to(site).as_posix() for path in (site / FOLDER).rglob("*.json")} == {
        *found,
        *index["schemas"].values(),
    }


def test_a_trial_is_as_the_schema_of_the_record_says(site: Path) -> None:
    schema = read(site, read(site, f"{FOLDER}/index.json")["schemas"]["record"])
    trials = [
        trial
        for kind, document in every(site).values()
        if kind == "board"
        for result in document["results"]
        for trial in result["trials"]
    ]
    assert trials
    for trial in trials:
        record = read(site, trial["record"])
        jsonschema.validate(record, schema)
        assert (record["trial_id"], record["spec"]["seed"], record["status"]) == (
            trial["trial_id"],
            trial["seed"],
            trial["status"],
        )


def test_every_page_that_a_document_names_is_there(site: Path) -> None:
    def pages(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["page"]] if "page" in node else node.get("pages", [])
            return [*own, *(page for value in node.values() for page in pages(value))]
        return [page for value in node for page in pages(value)] if isinstance(node, list) else []

    named = {page for _, document in every(site).values() for page in pages(document)}
    assert named
    assert not [page for page in named if not (site / page).is_file()]


def test_results_are_those_of_the_table_and_stand_under_board_method_and_task(site: Path) -> None:
    found = list(every(site).values())
    by_kind = {
        kind: [result for other, document in found if other == kind for result in document["results"]]
        for kind in ("board", "method", "task")
    }
    table = read(site, "table.json")
    assert len(by_kind["board"]) == len(table)
    for row, result in zip(table, by_kind["board"], strict=True):
        assert (result["task"], result["method"]) == (row["task"], row["method"])
        score = result["score"]
        assert score["value"] == pytest.approx(row["score"])
        assert score["low"] == pytest.approx(row["score_low"])
        assert result["costs"]["trainable_parameters"] == row["trainable_parameters"]
        assert result["ranked"] == (row["not_ranked"] in (None, ""))

    def key(result: dict[str, Any]) -> str:
        return json.dumps(result, sort_keys=True)

    for kind in ("method", "task"):
        assert sorted(by_kind[kind], key=key) == sorted(by_kind["board"], key=key)
    for kind, document in found:
        if kind in ("method", "task"):
            assert {result[kind] for result in document["results"]} == {document["name"]}
