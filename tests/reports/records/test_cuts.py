from __future__ import annotations

from reports.records.cuts import cut, much_cut
from reports.records.schema import SplitSizes
from reports.site import build


def with_cut(record, train, size=6817, **others):
    sizes = record.task.sizes.model_copy(update={"train": size})
    cuts = SplitSizes(**{"train": train, "selection": None, "report": None} | others)
    task = record.task.model_copy(update={"sizes": sizes, "truncated": cuts})
    return record.model_copy(update={"task": task})


def test_counts_of_each_split_or_the_least_and_the_most(make_record):
    one = with_cut(make_record(), 170, selection=0, report=853)
    told = "170 of 6,817 (2 %) to train on, 0 of 853 (0 %) of the selection split"
    assert cut([one.task, one.task]) == f"{told}, 853 of 853 (100 %) of the reported split"
    other = with_cut(make_record(), 0)
    part = with_cut(make_record(), 50, size=100)
    assert cut([other.task, part.task, one.task]).startswith("0 % to 50 % to train on, 0 of 853")
    assert cut([make_record().task]) == ""
    assert cut([]) == ""


def test_much_is_told_at_once(make_record):
    little, much = with_cut(make_record(), 681), with_cut(make_record(task="cola"), 682)
    assert much_cut([little, much, make_record(task="sst2")]) == [
        "cola: 682 of 6,817 (10 %) of the examples to train on are longer than max_length "
        "or than the model takes, and what is too long is cut."
    ]


def test_the_page_tells_it_where_a_record_does(make_record, tmp_path):
    build.build_site([with_cut(make_record(), 170), make_record(task="cola")], tmp_path)
    said = "170 of 6,817 (2 %) to train on"
    assert said in (tmp_path / "tasks/rotten_tomatoes.html").read_text()
    assert said in (tmp_path / "protocol.html").read_text()
    assert "and cut" not in (tmp_path / "tasks/cola.html").read_text()
