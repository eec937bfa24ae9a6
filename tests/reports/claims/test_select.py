from __future__ import annotations

import pytest

from reports.claims.select import Pool, Where, check_expression, number_of


def test_where_matches_names_and_settings(make_record) -> None:
    record = make_record("lora", options={"rank": 8, "alpha": 16.0, "target": ["query"]}, learning_rate=0.001)
    assert Where(method="lora", options={"alpha": 16}).matches(record)
    assert Where(method=["full", "lora"], options={"rank": [4, 8]}).matches(record)
    assert Where(options={"target": ["query"]}, protocol={"learning_rate": 1e-3}).matches(record)
    assert Where().matches(record)
    for other in (
        Where(method="full"),
        Where(task="cola"),
        Where(options={"rank": 4}),
        Where(options={"target": ["value"]}),
        Where(protocol={"learning_rate": 2e-3}),
    ):
        assert not other.matches(record)


def test_where_tells_an_absent_setting_from_one(make_record) -> None:
    some, every = (make_record(protocol={"train_examples": count}) for count in (64, None))
    where = Where(protocol={"train_examples": None})
    assert where.matches(every)
    assert not where.matches(some)
    assert where.label == "train examples none"


def test_expressions(make_record) -> None:
    record = make_record("lora", options={"rank": 4, "alpha": 16.0}, learning_rate=0.5)
    assert number_of(record, "options.alpha * protocol.learning_rate") == 8
    assert number_of(record, "options.alpha / options.rank * options.rank") == 16
    assert number_of(record, "serving.switch_ms_p50 / serving.load_model_ms_p50") == pytest.approx(0.4 / 71)
    assert number_of(record, "latency.max_input_length") == 512
    assert number_of(record, "task.sizes.train") == 6817
    assert number_of(record, "options.bottleneck") is None
    assert number_of(record, "options.alpha / options.bottleneck") is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("serving.swich_ms", "'swich_ms' is not among"),
        ("nothing", "'nothing' is not among"),
        ("serving", "expected one of its numbers"),
        ("latency.base_ms_p50.more", "not among nothing"),
    ],
)
def test_wrong_expressions_say_what_there_is(wrong: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_expression(wrong)


def test_diverged_runs_count_as_the_majority_answer(trials) -> None:
    pool = Pool(trials("lora", [0.8, None, 0.9]))
    assert pool.values(pool.records, "score") == {
        ("rotten_tomatoes", 0): 0.8,
        ("rotten_tomatoes", 1): 0.5,
        ("rotten_tomatoes", 2): 0.9,
    }
    gained = pool.values(pool.records, "gained")
    assert list(gained.values()) == pytest.approx([0.6, 0.0, 0.8])
    assert len(pool.values(pool.records, "latency.unmerged.ratio")) == 2


def test_where_lower_is_better_the_sign_changes(make_record) -> None:
    records = [make_record(score=0.2, metric="error", higher_is_better=False)]
    pool = Pool(records)
    assert pool.values(records, "score") == {("rotten_tomatoes", 0): -0.2}
    assert list(pool.values(records, "gained").values()) == pytest.approx([0.6])


def test_a_setting_is_chosen_on_the_selection_split(trials) -> None:
    slow = trials("lora", [0.9] * 3, selection=0.6, learning_rate=1e-4)
    fast = trials("lora", [0.7] * 3, selection=0.8, learning_rate=1e-3)
    pool = Pool([*slow, *fast])
    assert pool.pick(Where(method="lora"), "protocol.learning_rate") == fast
    assert len(pool.pick(Where(method="lora"))) == 6
