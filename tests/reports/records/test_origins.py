"""Who measured a record is told by where its file lies; what may not be ranked is shown apart."""

from __future__ import annotations

import hashlib

import pytest
import yaml
from pydantic import ValidationError

from reports import RecordError, build_site, compare, markdown_table, write_record, yaml_text
from reports.records.latency_files import located_latencies
from reports.records.origins import (
    MANIFEST,
    ROOT,
    Origin,
    Superseded,
    content_key,
    origin_of,
    origins,
    trusted,
)
from reports.records.store import located_records
from reports.stats.section import OTHERS
from reports.stats.sections import sections

from ..suites import suite


@pytest.fixture
def root(tmp_path):
    (tmp_path / MANIFEST).write_text("maintainers: [leaderboards]\n")
    return tmp_path


def _origin(root, file):
    (origin,) = origins(located_records(file), root).values()
    return origin


def test_the_folder_tells(root, make_record):
    record = make_record()
    for folder, origin in (
        ("leaderboards/study", Origin("maintainers")),
        ("submissions/ada", Origin("self-reported", "ada")),
        ("submissions", Origin("self-reported")),
        ("elsewhere/leaderboards", Origin("self-reported")),
        ("submissions/leaderboards", Origin("self-reported", "leaderboards")),
    ):
        assert _origin(root, write_record(record, root / folder)) == origin


def test_neither_a_link_nor_a_detour_lends_trust(root, make_record):
    file = write_record(make_record(), root / "submissions" / "eve")
    (root / "leaderboards").mkdir()
    link = root / "leaderboards" / "mine.json"
    link.symlink_to(file)
    with pytest.raises(RecordError, match="is a link, and a record is a plain file"):
        located_records(link)
    detour = root / "leaderboards" / ".." / "submissions" / "eve" / file.name
    assert _origin(root, detour) == Origin("self-reported", "eve")


def test_a_copy_takes_nothing_from_the_maintainers(root, make_record):
    ours = write_record(make_record(), root / "leaderboards")
    copy = write_record(make_record(), root / "submissions" / "eve")
    record = make_record()
    for files in ([ours, copy], [copy, ours]):
        assert trusted(origin_of(record, origins(dict.fromkeys(files, record), root)))


def test_a_suite_is_vouched_for_by_its_folder(tmp_path, make_record):
    (tmp_path / MANIFEST).write_text("maintainers: [leaderboards]\nimported: [imported]\n")
    record = make_record().model_copy(update={"suite": suite("x-bench")})
    for folder, origin in (
        ("imported/x-bench", Origin("another suite", "x-bench")),
        ("submissions/eve", Origin("of another suite", "x-bench, eve")),
        ("results", Origin("of another suite", "x-bench")),
    ):
        file = tmp_path / folder / "one.json"
        assert origins({file: record}, tmp_path) == {content_key(record): origin}


def test_a_record_cannot_say_it_of_itself(root, make_record):
    file = write_record(make_record(study="maintainers"), root / "submissions" / "maintainers")
    (file.parent / MANIFEST).write_text("maintainers: [submissions]\n")
    assert _origin(root, file) == Origin("self-reported", "maintainers")


def test_a_reproduced_file_is_known_by_its_content(tmp_path, make_record):
    file = write_record(make_record(), tmp_path / "submissions" / "ada")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest = {"maintainers": ["leaderboards"], "reproduced": {digest: "0.812 here"}}
    (tmp_path / MANIFEST).write_text(yaml.safe_dump(manifest))
    assert _origin(tmp_path, file) == Origin("reproduced", "ada")
    file.write_text(file.read_text().replace("0.5", "0.6"))
    assert _origin(tmp_path, file) == Origin("self-reported", "ada")


def test_of_the_maintainers_studies_alone_one_is_superseded(tmp_path, make_record):
    why = "a quarter of its runs learned nothing"
    manifest = {"maintainers": ["leaderboards"], "superseded": {"old": {"by": "new", "why": why}}}
    (tmp_path / MANIFEST).write_text(yaml.safe_dump(manifest))
    old, new = make_record(study="old"), make_record(study="new")
    ours = write_record(old, tmp_path / "leaderboards" / "old")
    theirs = write_record(old, tmp_path / "submissions" / "ada")
    found = _origin(tmp_path, ours)
    assert found == Origin("maintainers", superseded=Superseded("old", "new", why))
    assert trusted(found)
    assert found.superseded.told == "old is superseded by new: a quarter of its runs learned nothing."
    assert _origin(tmp_path, theirs) == Origin("self-reported", "ada")
    assert _origin(tmp_path, write_record(new, tmp_path / "leaderboards" / "new")) == Origin("maintainers")


@pytest.mark.parametrize("why", ["", "it ends twice."])
def test_why_a_study_is_superseded_is_a_sentence_without_its_end(tmp_path, make_record, why):
    manifest = {"maintainers": ["leaderboards"], "superseded": {"old": {"by": "new", "why": why}}}
    (tmp_path / MANIFEST).write_text(yaml.safe_dump(manifest))
    with pytest.raises(ValidationError, match=r"superseded\.old\.why"):
        _origin(tmp_path, write_record(make_record(), tmp_path / "leaderboards" / "old"))


def test_a_latency_comparison_is_known_as_a_trial_is():
    board = ROOT / "leaderboards" / "latency-small-batch"
    timed, trials = located_latencies(board), located_records(ROOT / "leaderboards" / "rotten-tomatoes")
    found = origins(trials | timed)
    assert len(found) == len(trials) + len(timed)
    assert {origin_of(record, found) for record in timed.values()} == {Origin("maintainers")}
    assert origin_of(next(iter(timed.values())), None) == Origin("self-reported")


def test_only_comparisons_of_trials_are_superseded_and_by_a_study_that_has_records():
    """A page of latencies, serving, dimensions or claims has no part for what is superseded."""
    manifest = yaml_text.load((ROOT / MANIFEST).read_text())
    published = {path.name for path in (ROOT / "leaderboards").iterdir()}
    for study, other in manifest.get("superseded", {}).items():
        assert {study, other["by"]} <= published
        assert not study.startswith(("claim-", "intrinsic", "latency-", "serving"))
        assert other["by"] not in manifest["superseded"]


def test_our_own_manifest_is_read():
    board = ROOT / "leaderboards" / "board-minilm-2"
    found = origins(located_records(board))
    assert len(found) >= 45
    assert set(found.values()) == {Origin("maintainers")}
    (old,) = set(origins(located_records(ROOT / "leaderboards" / "rotten-tomatoes")).values())
    assert old.superseded
    assert old.superseded.by == board.name


OURS, ADA = Origin("maintainers"), Origin("self-reported", "ada")


def _known(*groups):
    return {content_key(record): origin for origin, records in groups for record in records}


def test_nobody_enters_the_mean_of_another(make_record):
    ours = [make_record(seed=seed, score=0.8) for seed in range(3)]
    ada = [make_record(seed=seed, score=0.9) for seed in (3, 4, 5)]
    (section,) = sections([*ours, *ada], _known((OURS, ours), (ADA, ada)))
    assert [(row.label, row.score.mean, row.origin) for row in section.rows] == [
        ("lora", pytest.approx(0.8), OURS)
    ]
    assert [(row.label, row.score.mean, row.apart) for row in section.apart] == [
        ("lora, ada", pytest.approx(0.9), f"{OTHERS}; by its mean it would be place 1 of 2")
    ]


def test_fewer_seeds_than_the_maintainers_ran_are_told(make_record):
    ours = [make_record(seed=seed) for seed in range(3)]
    ada = [make_record("head", seed=0, score=0.99), make_record("head", seed=1, status="failed")]
    (section,) = sections([*ours, *ada], _known((OURS, ours), (ADA, ada)))
    assert [row.label for row in section.rows] == ["lora"]
    assert section.rows[0].on_front
    (row,) = section.apart
    assert (row.label, row.apart) == ("head, ada", "1 of the 3 seeds that the protocol asks for")
    assert len(section.records) == 5


def test_an_unclean_tree_is_not_ranked(make_record):
    (section,) = sections([make_record(), make_record("head", score=0.99, tree_clean=False)])
    assert [row.label for row in section.rows] == ["lora"]
    assert section.apart[0].apart.startswith("measured from a checkout with uncommitted changes")


def test_other_data_are_not_ranked(make_record):
    ours, other = make_record(), make_record("head", score=0.99)
    other = other.model_copy(update={"task": other.task.model_copy(update={"data_sha256": "cd" * 32})})
    (section,) = sections([ours, other], _known((OURS, [ours]), (ADA, [other])))
    assert section.apart[0].apart == "other data than the maintainers’"
    (section,) = sections([ours, other])
    assert not section.apart


def test_the_maintainers_say_what_the_floor_is(make_record):
    ours, lying = make_record(score=0.7), make_record("aaa", score=0.9)
    scores = lying.scores.model_copy(update={"majority": {"accuracy": 0.99}})
    lying = lying.model_copy(update={"scores": scores})
    (section,) = sections([lying, ours], _known((OURS, [ours]), (ADA, [lying])))
    assert section.floor == 0.5
    assert section.apart[0].risk.lost == 0


def test_one_seed_everywhere_is_ranked(make_study):
    (section,) = sections(make_study())
    assert len(section.rows) == 9
    assert not section.apart


def test_tables_tell_both(make_record, tmp_path):
    ours = [make_record(seed=seed) for seed in range(3)]
    ada = [make_record("head", score=0.99), make_record("prefix", score=0.99, tree_clean=False)]
    known = _known((OURS, ours), (ADA, ada))
    table = compare([*ours, *ada], known)
    assert table["origin"].tolist() == ["maintainers", "self-reported", "self-reported"]
    assert table["not_ranked"].isna().tolist() == [True, False, False]
    said = markdown_table([*ours, *ada], known)
    assert "Shown apart, not ranked:" in said
    assert "* head, ada: 1 of the 3 seeds that the protocol asks for" in said
    assert "Measured by the maintainers: lora." in said
    assert "Self-reported (ada): " in said
    folder = build_site([*ours, *ada], tmp_path, origins=known).parent
    html = "".join((folder / name).read_text() for name in ("index.html", "results.html"))
    assert "not ranked" in html
    assert "Measured by the maintainers." in html
    assert "self-reported (ada)" in html


def test_ones_own_results_need_no_origin(make_record, tmp_path):
    assert "self-reported" not in markdown_table([make_record()])
    assert "self-reported" not in build_site([make_record()], tmp_path).read_text()


def test_nothing_ranked_is_said(make_record, tmp_path):
    html = build_site([make_record(tree_clean=False)], tmp_path).read_text()
    assert "No score on this task may be ranked" in html
