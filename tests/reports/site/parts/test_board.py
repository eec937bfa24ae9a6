"""What the pages show, worked out once: order, scope, ranks."""

from __future__ import annotations

from reports.site.parts.board import make_board


def test_ranks_without_seeds_are_the_order_of_the_scores(make_record):
    records = [make_record("a", score=0.8), make_record("b", score=0.8), make_record("c", score=0.7)]
    (view,) = make_board([*records, make_record("d", status="failed")], "t").views
    assert {label: rank.text for label, rank in view.ranks.items()} == {
        **{"a": "1", "b": "1", "c": "3"},
        "d": "–",
    }
    assert not any(rank.decided for rank in view.ranks.values())


def test_ranks_over_seeds_are_averages_with_intervals(make_study):
    (view,) = make_board(make_study(seeds=3), "t").views
    best = min(view.ranks.values(), key=lambda rank: rank.value)
    assert best.decided
    assert "(" in best.text


def test_scope_and_names_do_not_depend_on_the_order(make_record, make_study):
    records = [*make_study(), make_record(task="imdb")]
    board = make_board(records, "t")
    assert board.scope == "9 methods, 2 tasks, 1 model, 10 trials"
    assert board.tasks == ["imdb", "rotten_tomatoes"]
    two = [make_record("lora", options={"rank": rank}) for rank in (4, 8)]
    assert (
        make_board([*two, make_record("full")], "t").scope
        == "2 methods in 3 settings, 1 task, 1 model, 3 trials"
    )
    assert make_board(records[::-1], "t").records == board.records
    assert board.seeds == 1
