"""Names of rows: what differs is in them, and no two look alike."""

from __future__ import annotations

from reports import text
from reports.records.identity import identity
from reports.records.origins import Origin
from reports.stats.labels import labels, seen_as


def _labels(records, *origins, told=False):
    return labels([identity(record) for record in records], origins, told=told)


def test_what_differs_is_in_the_name(make_record):
    records = [make_record(options={"rank": 4}), make_record(options={"rank": 8}), make_record("head")]
    assert _labels(records) == ["lora (rank=4)", "lora (rank=8)", "head"]


def test_a_name_tells_no_more_settings_than_it_has_to(make_record):
    longer = {"steps": 480, "train_examples": 640, "evaluate_every": 60}
    records = [make_record(), make_record(protocol=longer), make_record(protocol=longer, learning_rate=0.1)]
    assert _labels(records) == [
        "lora (steps=240, learning_rate=0.001)",
        "lora (steps=480, learning_rate=0.001)",
        "lora (steps=480, learning_rate=0.1)",
    ]
    assert _labels(records[:2]) == ["lora (steps=240)", "lora (steps=480)"]
    tuned = [make_record(options={"rank": 4}), make_record(options={"rank": 8}, protocol=longer)]
    assert _labels(tuned) == ["lora (rank=4)", "lora (rank=8)"]


def test_an_older_record_without_a_setting_gets_no_bare_name(make_record):
    old, first, second = make_record(), *(make_record(protocol={"steps": 160}) for _ in range(2))
    for record, part in ((first, 64), (second, None)):
        record.spec["protocol"]["scored_examples"] = part
    assert "scored_examples" not in old.spec["protocol"]
    assert _labels([old, first, second]) == [
        "lora (steps=240)",
        "lora (steps=160, scored_examples=64)",
        "lora (steps=160, scored_examples=none)",
    ]


def test_names_that_look_alike_are_told_apart(make_record):
    cyrillic = "l\u043era"
    records = [
        make_record(name) for name in ("lora", "lo\u200bra", "ＬＯＲＡ", "l0ra", "Iora", cyrillic, "lora #2")
    ]
    found = _labels(records)
    assert found[0] == "lora"
    assert found[1] == "lora #2"
    assert found[2].startswith("ＬＯＲＡ (U+FF2C, U+FF2F, U+FF32")
    assert found[5] == f"{cyrillic} (U+043E)"
    assert len({seen_as(name) for name in found}) == 7


def test_letters_with_accents_are_as_they_seem():
    assert text.name("étude-ü") == "étude-ü"
    assert text.name("m\u0430mba") == "m\u0430mba (U+0430)"


def test_others_are_named_where_there_are_several(make_record):
    records = [make_record(), make_record(options={"rank": 4}), make_record("head")]
    origins = [Origin("maintainers"), Origin("self-reported", "ada"), Origin("reproduced")]
    assert _labels(records, *origins, told=True) == [
        "lora",
        "lora (rank=4), ada",
        "head, reproduced",
    ]
