from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reports.yaml_text import YamlError, load

WORDS = st.text(st.characters(codec="ascii", categories=("L",)), min_size=1, max_size=6)
PLAIN: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-99999, 99999) | st.floats(allow_nan=False, width=32) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_what_was_written_is_read(value: Any) -> None:
    assert load(yaml.safe_dump(value)) == value


@given(st.floats(1e-12, 1e12))
def test_a_number_is_a_number_however_it_is_written(value: float) -> None:
    for text in (repr(value), f"{value:e}", f"{value:g}", f"+{value!r}", f"-{value!r}", f"{value:.1E}"):
        assert load(f"learning_rate: {text}") == {"learning_rate": float(text)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("1:30", "1:30"),
        ("2024-13-45", "2024-13-45"),
        ("0-5", "0-5"),
        ("last:2", "last:2"),
        ("e5", "e5"),
        ("'1e-3'", "1e-3"),
    ],
)
def test_numbers_and_words(text: str, value: Any) -> None:
    found = load(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{a: 1, a: 1}", "line 1, column 8: the key 'a' was given at line 1 already"),
        ("a: 1\n'a': 2", "line 2, column 1: the key 'a' was given at line 1 already"),
        ("x:\n  - b: 1\n    c: 2\n    b: 3", "line 4, column 5: the key 'b' was given at line 2 already"),
        ("a: &a {b: 1, b: 2}\nc: *a", "the key 'b' was given"),
        ("1: 1\n1: 2", "the key '1' was given"),
        ("a: [", "line 1"),
        ("a: b: c", "mapping values"),
        ("9" * 5000, "cannot be read"),
        ("!!bool maybe", "cannot be read"),
        ("[" * 1200, "nested too deeply"),
        ("a\x00", "cannot be read"),
    ],
)
def test_a_fault_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(YamlError, match=words) as caught:
        load(text)
    assert str(caught.value).startswith("is not valid YAML")
    assert "\n" not in str(caught.value)


def test_what_a_merge_brings_in_may_be_said_again() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, y: 3}\nd: {<<: [*b, *a], x: 4}\ne: *b"
    found = load(text)
    assert found["b"] == found["e"] == {"x": 2, "y": 1}
    assert found["c"] == {"x": 2, "y": 3}
    assert found["d"] == {"x": 4, "y": 1}
