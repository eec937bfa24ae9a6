"""Bounds on foreign JSON: what is too large, too deep or no JSON is refused in one sentence, quickly."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import RecordError
from reports.records.bounds import MAX_TEXT, _sound, check_values, parsed, step

REFUSED = [
    (b'{"a": 1, "a": 2}', r'\$ has an object with the name "a" twice'),
    (b'{"\\u001b[31m": 1, "\\u001b[31m": 2}', r'the name "\\u001b\[31m" twice'),
    (b'{"a": ' + b"9" * 5000 + b"}", r"\$ holds an integer of 5000 digits"),
    (b'{"a": 99999999999999999999}', r"\$\.a is an integer beyond 64 bits"),
    (b'{"a": 1e999}', r"\$\.a is inf"),
    (b'{"a": -1e31}', r"\$\.a is -1e\+31, and nothing is measured beyond"),
    (b'{"a": NaN}', r"\$\.a is nan"),
    (b'{"a": -Infinity}', r"\$\.a is -inf"),
    (b"[" * 40 + b"]" * 40, r"\$ is nested deeper than 32 levels"),
    (b'{"a":' * 700_000, r"\$ is nested deeper than 32 levels"),
    (b'{"a": "' + b"x" * (MAX_TEXT + 1) + b'"}', r"\$\.a is a text of 20001 characters"),
    (b'{"' + b"x" * (MAX_TEXT + 1) + b'": 1}', r"\$\.<name> is a text of 20001 characters"),
    (b'{"a": [' + b"0," * 20_000 + b"0]}", r"\$\.a has 20001 entries"),
    (json.dumps(dict.fromkeys(map(str, range(1001)))).encode(), r"\$ has 1001 names"),
    (b'{"a": "\xff"}', r"\$ is not JSON \(byte 7 is not UTF-8\)"),
    ('{"a": 1}'.encode("utf-16"), r"\$ is not JSON \(byte 0 is not UTF-8\)"),
    (b'{"a": "\\ud800"}', r"\$\.a holds text that is not valid Unicode"),
    (b'"text"', r"\$ is a str, expected an object"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_record_is_refused(tmp_path, content, message):
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(RecordError, match=message) as caught:
        parsed(file)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isascii()


def test_brackets_in_text_do_not_count(tmp_path):
    file = tmp_path / "a.json"
    content = {"a": "[" * 100 + '\\"{', "b": [["]"]]}
    file.write_text(json.dumps(content))
    assert parsed(file) == content
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(content).encode())
    assert parsed(file) == content


@pytest.mark.parametrize("content", ['"' + '\\"' * 1_500_000, '{"a":"' + "\\" * 3_000_000, '"' * 3_000_001])
def test_text_without_an_end_takes_linear_time(tmp_path, content):
    file = tmp_path / "a.json"
    file.write_text(content)
    started = time.process_time()
    with pytest.raises(RecordError):
        parsed(file)
    assert time.process_time() - started < 20  # quadratic time would be hours


def test_constants_can_be_kept_as_text(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{"a": [NaN, -Infinity]}')
    assert parsed(file, constant=str) == {"a": ["NaN", "-Infinity"]}


@given(st.text())
def test_a_path_is_plain_text_whatever_the_name(name):
    path = step("$", name)
    assert path.isascii()
    assert path.isprintable()
    assert len(path) <= 215


@given(
    st.recursive(st.none() | st.floats() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x))
)
def test_values_are_taken_or_refused(value):
    try:
        check_values(value)
    except RecordError as error:
        said = str(error)
    else:
        json.dumps(value, allow_nan=False).encode()
        said = "$"
    assert said.startswith("$")


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), _values, max_size=3), st.integers(1, 40))
def test_the_quick_look_passes_nothing_that_the_thorough_one_refuses(data, depth):
    for _ in range(depth):
        data = {"in": data}
    if _sound(data):
        check_values(data)
