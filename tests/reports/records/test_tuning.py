"""How settings were chosen, wherever a table of results is shown."""

from __future__ import annotations

import pytest

from reports import build_site, compare, csv_table, markdown_table, trials
from reports.records.identity import identity
from reports.records.tuning import how_set, how_set_in_full, searched
from reports.stats.sections import sections


def test_in_short(make_record):
    fixed, tuned = make_record(), make_record("head", tuning=True)
    assert how_set([fixed]) == how_set([]) == "fixed settings"
    assert how_set([tuned, tuned]) == "tuned: 3 trials each"
    assert how_set([tuned, fixed]) == "fixed settings, or tuned: 3 trials each"
    by_halving = halved(tuned)
    assert how_set([by_halving]) == "tuned: 3 trials each, by halving"
    assert how_set([by_halving, tuned]) == "tuned: 3 trials each, or tuned: 3 trials each, by halving"
    assert identity(by_halving).settings["search"] == "3 trials, halved"


def halved(record):
    """The same, with a search that stopped its default setting."""
    first, *others = record.tuning.history
    rest = [step.model_copy(update={"steps": 40 if step.score else None}) for step in others]
    history = (first.model_copy(update={"status": "pruned", "steps": 10, "score": 0.9}), *rest)
    tuning = record.tuning.model_copy(update={"rungs": (10, 20), "history": history})
    return record.model_copy(update={"tuning": tuning})


def test_in_full(make_record):
    fixed, tuned = make_record(), make_record("head", tuning=True)
    said = how_set_in_full([tuned, tuned])
    assert said.startswith("For every method and task 3 settings were tried, the default first, with 11,520 ")
    assert "the seed 1000; the best by accuracy on the selection split" in said
    assert said.endswith("No search saw the reported split.")
    assert "Rows with fixed settings" in how_set_in_full([fixed, tuned])
    assert "3 settings" not in how_set_in_full([fixed])
    assert (
        "and the seed 1000; of settings tried together the worse half was stopped after 10 and 20 steps; "
        in (how_set_in_full([halved(tuned)]))
    )


def test_one_rows_search(make_record):
    tuning = make_record(tuning=True, learning_rate=0.002).tuning
    assert searched(tuning) == "learning rate 0.0001 to 0.01: 0.811, default 0.701"
    assert searched(None) == "–"
    stopped = halved(make_record(tuning=True, learning_rate=0.002)).tuning
    assert searched(stopped).endswith("0.811, default 0.900 when it was stopped after 10 steps")
    lower = tuning.model_copy(update={"higher_is_better": False, "space": {"rank": {"values": [4, 8]}}})
    assert searched(lower) == "rank 4, 8: 0.701, default 0.701"
    lost = tuple(step.model_copy(update={"score": None}) for step in tuning.history)
    assert searched(tuning.model_copy(update={"history": lost})).endswith("no trial succeeded")


@pytest.mark.parametrize(("tuning", "words"), [(False, "fixed settings"), (True, "tuned: 3 trials each")])
def test_every_table_says_it(make_record, tmp_path, tuning, words):
    records = [make_record(tuning=tuning), make_record("head", tuning=tuning)]
    assert markdown_table(records).splitlines()[-1].startswith(f"{words.capitalize()}. ")
    assert set(compare(records)["settings"]) == set(trials(records)["settings"]) == {words}
    assert words in csv_table(records)
    assert trials(records)["tuning_trials"].fillna(0).tolist() == [3 if tuning else 0] * 2
    page = build_site(records, tmp_path).read_text(encoding="utf-8")
    assert f"measured for score and cost; {words}." in page
    assert f"{words.capitalize()}. " in (tmp_path / "protocol.html").read_text(encoding="utf-8")
    page = next((tmp_path / "tasks").glob("rotten*.html")).read_text(encoding="utf-8")
    assert f"<strong>{words.capitalize()}.</strong>" in page
    assert ('<th scope="col">Searched</th>' in page) == tuning
    assert words.capitalize() in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_a_fixed_and_a_tuned_row_of_one_method_are_told_apart(make_record):
    records = [make_record(), make_record(tuning=True)]
    (section,) = sections(records)
    assert sorted(row.label for row in section.rows) == ["lora (search=3 trials)", "lora (search=none)"]
