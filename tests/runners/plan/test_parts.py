"""Every split of a study is whole, without a trial twice, fair, and the same whatever is done of it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.parts import Part, setting

CONTENT: dict[str, Any] = {
    "name": "s",
    "tasks": ["cola", "mrpc"],
    "methods": ["head", "full", "bitfit", {"method": "lora", "grid": {"options": {"rank": [1, 2, 4]}}}],
    "seeds": [0, 1, 2],
}


@pytest.fixture(scope="module")
def fixed() -> study.Study:
    return study.parse_study(CONTENT)


@pytest.fixture(scope="module")
def tuned() -> study.Study:
    return study.parse_study(CONTENT | {"methods": ["head", "full", "lora"], "tuning": {"trials": 2}})


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 30])
def test_parts_are_the_whole_with_nothing_twice_and_fair(fixed: study.Study, count: int) -> None:
    parts = [Part(index, count).of(fixed) for index in range(1, count + 1)]
    shares = [[spec.trial_id for spec in part.specs] for part in parts]
    assert sorted(itertools.chain(*shares)) == sorted(spec.trial_id for spec in fixed.specs)
    units = [{setting(spec) for spec in part.specs} for part in parts]
    for one, other in itertools.combinations(units, 2):
        assert not one & other  # all seeds of a setting are in one part
    assert max(map(len, units)) - min(map(len, units)) <= 1
    order = [spec.trial_id for spec in fixed.specs]
    assert all([key for key in order if key in share] == share for share in shares)
    assert parts[0].name == fixed.name
    assert f"part 1/{count}" in parts[0].title


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_search_is_in_one_part_with_the_trials_after_it(tuned: study.Study, count: int) -> None:
    parts = [Part(index, count).of(tuned).searches for index in range(1, count + 1)]
    assert sorted(s.default.trial_id for part in parts for s in part) == sorted(
        search.default.trial_id for search in tuned.searches
    )
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_split_does_not_depend_on_the_order_of_a_study(fixed: study.Study) -> None:
    turned = study.parse_study(CONTENT | {"methods": CONTENT["methods"][::-1], "tasks": ["mrpc", "cola"]})
    for index in (1, 2, 3):
        one, other = (Part(index, 3).of(made).specs for made in (fixed, turned))
        assert {spec.trial_id for spec in one} == {spec.trial_id for spec in other}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0/4", "1/4"),
        ("5/4", "4/4"),
        ("1/0", "at least one part"),
        ("2", "expected I/N such as 1/8"),
        ("a/b", "expected I/N"),
        ("-1/3", "expected I/N"),
        ("1/2/3", "expected I/N"),
        ("", "expected I/N"),
    ],
)
def test_what_is_no_part_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=f"received --part .*{said}"):
        Part.parse(text)


def test_a_part_is_written_as_it_is_read() -> None:
    assert str(Part.parse(" 2/8 ")) == "2/8"
