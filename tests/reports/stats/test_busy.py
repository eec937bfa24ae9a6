"""Where others took the cores, times are doubted everywhere, and scores nowhere."""

from __future__ import annotations

import pytest

from reports import build_site, compare, markdown_table, trials
from reports.stats.busy import MOST_WAITED, SPARE, bearable, busy, caution, crowded, neighbours
from reports.stats.sections import sections
from reports.tables.latex import latex_table

from ..site.test_build import Reader


def told(record, cores=2, **training):
    return record.model_copy(
        update={
            "training": record.training.model_copy(update=training),
            "environment": record.environment.model_copy(update={"cores": cores}),
        }
    )


@pytest.mark.parametrize(
    ("waited", "load", "cores", "expected"),
    [
        (0.0, None, None, False),
        (MOST_WAITED, None, 2, False),
        (MOST_WAITED + 0.01, None, 2, True),
        (
            0.0,
            90.0,
            2,
            False,
        ),  # of a machine with more cores than are this process's: the threads know better
        (None, 2 + SPARE, 2, False),
        (None, 3.0, 2, True),
        (None, 3.0, None, False),
        (None, None, 2, False),
    ],
)
def test_the_rule(make_record, waited, load, cores, expected):
    record = told(make_record(), waited_share=waited, load_average=load, cores=cores)
    assert busy(record) is expected


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
def test_one_neighbour_that_always_computes_is_too_much(threads):
    least = 0.5 / threads  # it stays on one core, and halves one thread
    moved_about = 1 / (threads + 1)
    assert bearable(threads) < min(least, moved_about)


def test_nothing_is_said_of_records_that_do_not_tell(make_record):
    untrained = make_record(status="diverged")
    assert not busy(untrained)
    assert not busy(make_record())
    assert caution([make_record(), untrained]) == ""


def test_the_sentence_counts_and_tells_the_worst(make_record):
    records = [
        told(make_record(seed=seed), waited_share=share) for seed, share in enumerate((0.0, 0.3, 0.21))
    ]
    said = caution(records)
    assert said.startswith("2 of 3 trials were trained on a busy machine: their threads waited up to 30 % of")
    assert "scores are not touched" in said
    assert caution(records[:2]).startswith("1 of 2 trials was trained")
    loaded = told(make_record(), load_average=9.0)
    assert caution([loaded]).startswith("1 of 1 trial was trained on a busy machine. ")


def test_every_table_and_page_marks_the_times_that_are_off(make_record, tmp_path):
    quiet = [told(make_record("head", seed=seed), waited_share=0.01) for seed in range(2)]
    loaded = [told(make_record("lora", seed=seed), waited_share=0.4 * seed) for seed in range(2)]
    records = [*quiet, *loaded]
    (section,) = sections(records)
    assert {row.label: row.busy_seeds for row in section.rows} == {"head": (), "lora": (1,)}
    assert trials(records).set_index(["method", "seed"])["busy"].to_dict()[("lora", 1)]
    frame = compare(records).set_index("method")
    assert frame["busy_seeds"].fillna("").to_dict() == {"lora": "1", "head": ""}
    for table in (markdown_table(records), latex_table(records)):
        marked = [line for line in table.splitlines() if "busy machine" in line]
        assert [line for line in marked if "lora" in line] == marked
        assert len(marked) == 1
    build_site(records, tmp_path)
    every = Reader((tmp_path / "results.html").read_text())
    assert "median of 2, busy" in every.text
    assert "Busy: others took cores while it trained" in every.text
    for name in ("tasks/rotten_tomatoes.html", "protocol.html"):
        said = Reader((tmp_path / name).read_text()).text
        assert "1 of 4 trials was trained on a busy machine" in said
        assert "In the tables: lora." in said


def test_pages_of_a_quiet_machine_say_nothing_of_it(make_record, tmp_path):
    records = [told(make_record(seed=seed), waited_share=0.02) for seed in range(2)]
    build_site(records, tmp_path)
    for page in tmp_path.rglob("*.html"):
        assert "busy machine" not in page.read_text()
    assert "busy" not in markdown_table(records)


def side_by_side(record, count):
    where = record.environment.model_copy(update={"side_by_side": count})
    return record.model_copy(update={"environment": where})


def test_times_measured_beside_other_trials_are_told_and_not_mixed(make_record, tmp_path):
    """Two seeds of `lora` had neighbours and one had none: its time is that of the two, and says so."""
    alone = [side_by_side(make_record("head", seed=seed), which) for seed, which in enumerate((None, 1, 1))]
    mixed = [side_by_side(make_record("lora", seed=seed), which) for seed, which in enumerate((4, 4, 1))]
    records = [*alone, *mixed]
    (section,) = sections(records)
    rows = {row.label: row for row in section.rows}
    assert {name: row.side_by_side for name, row in rows.items()} == {"head": 1, "lora": 4}
    assert rows["lora"].timed_seeds == (0, 1)
    assert rows["head"].timed_seeds == (0, 1, 2)
    assert compare(records).set_index("method")["side_by_side"].to_dict() == {"head": 1, "lora": 4}
    assert trials(records)["side_by_side"].dropna().tolist() == [1, 1, 4, 4, 1]
    for table in (markdown_table(records), latex_table(records)):
        assert next(line for line in table.splitlines() if "lora" in line).count(", 4 at once") == 1
        assert table.count("at once") == 1
    build_site(records, tmp_path)
    for name in ("tasks/rotten_tomatoes.html", "protocol.html"):
        said = Reader((tmp_path / name).read_text()).text
        assert "2 of 6 trials were trained side by side, 4 at once on a machine." in said
        assert "Times with other numbers of neighbours are not comparable." in said
    assert "4 trials at once" in (tmp_path / "results.html").read_text()


def test_of_trials_without_neighbours_nothing_is_said(make_record, tmp_path):
    records = [side_by_side(make_record(seed=seed), which) for seed, which in enumerate((None, 1))]
    assert neighbours(records) == neighbours([]) == ""
    assert neighbours([side_by_side(make_record(status="diverged"), 2)]) == ""
    assert "at once" not in markdown_table(records)
    (one,) = [side_by_side(make_record(), 2)]
    assert neighbours([one]).startswith("1 of 1 trial was trained side by side, 2 at once")


def test_times_taken_on_a_crowded_machine_are_told_to_be_too_long() -> None:
    (told,) = crowded(0.5, threads=2)
    assert "threads waited 50 % of the time" in told
    assert crowded(bearable(2), threads=2) == crowded(0.0, threads=2) == crowded(None, threads=2) == []
