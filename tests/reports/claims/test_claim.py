from __future__ import annotations

from typing import Any

import pytest

from reports.claims import judge, parse_claim
from reports.errors import RecordError


def part(**rule: Any) -> dict[str, Any]:
    groups = [{"where": {"method": "full"}}, {"weight": -1, "where": {"method": "lora"}}]
    base = {"kind": "contrast", "what": "The lead", "groups": groups, "at_least": 0.01}
    return {"says": "Full leads.", "in_words": "By a point.", "rule": base | rule}


def claim(*parts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    texts = {
        "statement": "S.",
        "source": "arXiv",
        "url": "https://arxiv.org",
        "measured": "M.",
        "needs": "N.",
    }
    return {"number": 1, **texts, "parts": list(parts) or [part()], **changes}


def test_all_parts_must_hold(trials) -> None:
    records = [*trials("full", [0.85, 0.861, 0.87]), *trials("lora", [0.80, 0.81, 0.82])]
    holds, fails, open_ = part(), part(at_least=0.2), part(at_least=0.05, groups=[{"where": {"method": "x"}}])
    cases = [
        ((), "supported"),
        ((holds, holds), "supported"),
        ((holds, open_), "not decided"),
        ((holds, open_, fails), "not supported"),
    ]
    for parts, verdict in cases:
        assert judge("c", parse_claim(claim(*parts), "s"), records).verdict == verdict
    several = judge("c", parse_claim(claim(holds, open_, fails), "s"), records)
    assert several.sentence == "Of 3 parts, 1 supported, 1 not supported and 1 not decided."
    assert [finding.verdict for finding in several.findings] == ["supported", "not decided", "not supported"]


def test_the_permutation_test_can_take_a_verdict_back(trials) -> None:
    """Five pairs give p = 0.0625 at least, six 0.03125; two such parts double it."""
    tested = part(decided_by="permutation")
    full, lora = [0.85, 0.851, 0.852, 0.853, 0.854, 0.855], [0.8] * 6
    five = [*trials("full", full[:5]), *trials("lora", lora[:5])]
    six = [*trials("full", full), *trials("lora", lora)]
    assert judge("c", parse_claim(claim(part()), "s"), five).verdict == "supported"
    found = judge("c", parse_claim(claim(tested), "s"), five)
    assert found.verdict == "not decided"
    assert "p = 0.062" in found.sentence
    assert judge("c", parse_claim(claim(tested), "s"), six).verdict == "supported"
    twice = judge("c", parse_claim(claim(tested, tested), "s"), six)
    assert twice.verdict == "not decided"
    assert "p = 0.062 after Holm's correction for 2 parts" in twice.findings[0].sentence


def test_no_records_decide_nothing() -> None:
    found = judge("c", parse_claim(claim(), "s"))
    assert found.verdict == "not decided"
    assert found.findings[0].records == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "states no claim"),
        (claim(statement=""), "statement"),
        (claim(part(kind="guess")), "kind"),
        (claim(part(at_least=None)), "a rule needs at_least"),
        (claim(part(measure="serving.x")), "'x' is not among"),
        (claim(part(grops=[])), "grops"),
        (claim(url="arxiv"), "url"),
    ],
)
def test_faults_are_one_sentence(content: Any, words: str) -> None:
    with pytest.raises(RecordError, match=words) as caught:
        parse_claim(content, "mine")
    assert "\n" not in str(caught.value)
    assert "mine" in str(caught.value)
