from __future__ import annotations

import pytest

import methods
from runners.plan.contenders import Choice, contenders, label, parse_contender, parse_contenders
from runners.plan.errors import SpecError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lora", Choice("lora", "lora", {})),
        ("lora:rank=4", Choice("lora rank=4", "lora", {"rank": 4})),
        (
            "lora:rank=4,target=query+value",
            Choice("lora rank=4 target=query+value", "lora", {"rank": 4, "target": ("query", "value")}),
        ),
        ("ia3:layers=last:2", Choice("ia3 layers=last:2", "ia3", {"layers": "last:2"})),
        (
            "lora:layers=0-1+4,rank=2",
            Choice("lora layers=0-1+4 rank=2", "lora", {"layers": ("0-1", "4"), "rank": 2}),
        ),
        (
            "prefix:length=5,hidden=none",
            Choice("prefix length=5 hidden=None", "prefix", {"length": 5, "hidden": None}),
        ),
    ],
)
def test_reads_what_the_command_line_says(text: str, expected: Choice) -> None:
    assert parse_contender(text) == expected


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("lora:", SpecError, "expected NAME or NAME:KEY=VALUE"),
        ("lora:rank", SpecError, "expected KEY=VALUE"),
        ("lora:rank=4,alpha=8,rank=2", SpecError, "'rank' twice, the second time as 'rank=2'"),
        ("lroa", methods.MethodError, "did you mean lora"),
        ("lora:rnk=3", methods.OptionError, "did you mean rank"),
        ("lora:rank=0", methods.OptionError, "rank=0"),
    ],
)
def test_what_is_written_wrongly_is_one_sentence(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_contender(text)


def test_by_default_all_that_changes_the_forward_pass(tiny_model: str) -> None:
    found = {choice.method for choice in contenders(tiny_model, None)}
    moved = {"did", "said"}  # until they are merged, every pass computes the weights anew
    assert {"lora", "dora", "ia3", "houlsby", "lin", "pfeiffer", "prefix", "prompt"} | moved <= found
    assert not {"full", "head", "bitfit", "top_layers"} & found
    assert [c.label for c in contenders(tiny_model, ["lin:bottleneck=3"])] == ["lin bottleneck=3"]


def test_labels_tell_what_was_given() -> None:
    assert label("lora", {}) == "lora"
    assert label("lora", {"target": ["query", "key"], "rank": 2}) == "lora target=query+key rank=2"
    assert label("lin", {"layers": [0, 1]}) == "lin layers=0+1"


@pytest.mark.parametrize(
    ("together", "name", "apart"),
    [
        ("lora:rank=8", "lora", ["rank=8"]),
        ("lora:rank=8,alpha=4", "lora:alpha=4", ["rank=8"]),
        ("lora:target=query+key", "lora", ["target=query,key"]),
        ("lora:target=query,key,rank=2", "lora", ["target=query+key", "rank=2"]),
        ("lora:layers=0,2,rank=2", "lora", ["layers=0+2", "rank=2"]),
        ("prefix:hidden=none", "prefix", ["hidden=none"]),
    ],
)
def test_options_are_the_same_together_and_apart(together: str, name: str, apart: list[str]) -> None:
    one, other = parse_contender(together), parse_contender(name, apart)
    options = methods.get(one.method).options
    assert one.method == other.method
    assert options.parse(one.method, one.options) == options.parse(other.method, other.options)
    assert parse_contenders([name], apart) == [other]


@pytest.mark.parametrize(
    ("texts", "apart", "words"),
    [
        (["lora", "lin"], ["rank=8"], "received rank=8 beside 2 methods, expected --method NAME:rank=8"),
        ([], ["rank=8"], "beside no method"),
        ([], ["lora"], "received 'lora', expected --method lora, or KEY=VALUE"),
        (["lora:rank=4"], ["rank=8"], "'rank' twice"),
        (["lora"], ["rank"], "expected KEY=VALUE"),
    ],
)
def test_options_apart_belong_to_one_method(texts: list[str], apart: list[str], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parse_contenders(texts, apart)
