"""Own data whose answers are written: pairs of an input and a target, split, checked and declared."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import tasks
from tasks.own import preparing
from tasks.spec import DataError, Template

ROWS = [(f"Ticket {i}: it does not start.", f"No start ({i}).") for i in range(60)]
ROWS += [(text, f"Again: {target}") for text, target in ROWS[::3]]


def resolve(folder: Path, rows: list[tuple[str, Any]] = ROWS, **values: Any) -> preparing.Resolved:
    lines = [json.dumps({"text": text, "summary": target}) for text, target in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    given = {"name": "tickets", "file": "rows.jsonl", "target": "summary", **values}
    return preparing.resolve({key: value for key, value in given.items() if value is not None}, str(folder))


def test_a_column_of_targets_makes_a_generation(tmp_path: Path) -> None:
    found = resolve(tmp_path, template="{text}\nIn short:")
    spec, data = found.spec, found.data
    assert spec.problem_type == "generation"
    assert [metric.name for metric in spec.metrics] == ["rouge_l", "bleu"]
    assert spec.written_as == Template("{text}\nIn short:")
    assert data.train.column_names == ["text", "target"]
    assert data.report.column_names == data.selection.column_names == ["text", "references"]
    # Every pair is there once, and no input is in two splits.
    pairs = list(zip(data.train["text"], data.train["target"], strict=True))
    for split in (data.selection, data.report):
        pairs += [(r["text"], target) for r in split for target in r["references"]]
    assert sorted(pairs) == sorted(ROWS)
    inputs = [set(split["text"]) for split in (data.train, data.selection, data.report)]
    assert not inputs[0] & inputs[1] | inputs[0] & inputs[2] | inputs[1] & inputs[2]
    assert data.sizes == {
        "train": len(data.train),
        "selection": len(data.selection),
        "report": len(data.report),
    }
    assert tasks.score(spec, [many[0] for many in data.report["references"]], data.report["references"])[
        "rouge_l"
    ] == pytest.approx(1)
    assert preparing.load(spec, found.source, found.folder).sha256 == data.sha256
    assert any(
        "texts are written, summary; ranked by rouge_l, bleu beside, by default" in n for n in found.notes
    )


def test_the_order_of_the_rows_moves_nothing_and_every_target_is_in_the_hash(tmp_path: Path) -> None:
    own = resolve(tmp_path).own
    mixed = random.Random(0).sample(ROWS, len(ROWS))
    assert resolve(tmp_path, mixed).own == own
    other = [*ROWS[:-1], (ROWS[-1][0], ROWS[-1][1] + "!")]
    assert resolve(tmp_path, other).own.sha256 != own.sha256
    swapped = [(ROWS[0][0], ROWS[1][1]), (ROWS[1][0], ROWS[0][1]), *ROWS[2:]]
    assert resolve(tmp_path, swapped).own.sha256 != own.sha256


def test_numbers_are_written_as_they_stand(tmp_path: Path) -> None:
    found = resolve(tmp_path, [(f"{i} and {i}", 2 * i) for i in range(40)], metric="exact_match")
    assert set(found.data.train["target"]) <= {str(2 * i) for i in range(40)}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"label": "summary"},
            r"the target 'summary', a text to write, and the label 'summary': leave one out",
        ),
        ({"problem": "regression"}, r"the target 'summary', .* and problem: regression: leave one out"),
        ({"target": None, "problem": "generation"}, r"is a generation, and no target: names the column"),
        ({"target": "text"}, r"'text' is named as text and as target"),
        ({"target": "sumary"}, r"no column 'sumary'; did you mean 'summary'"),
        ({"metric": "accuracy"}, r"a generation is not scored by accuracy, expected bleu, nist"),
        ({"metric": ["bleu", "f1"]}, r"bleu and f1, of a generation and of a classification: expected those"),
        (
            {"target": None, "metric": "bleu"},
            r"bleu is of texts that are written: name their column as target",
        ),
        ({"labels": ["a", "b"]}, r"is a generation and has labels: leave one of the two out"),
        ({"template": 3}, r"template is 3, expected a prompt with \{text\}, or a mapping of prompt, joint"),
        ({"template": {"promt": "{text}"}}, r"template is \{'promt': .*expected a prompt with \{text\}"),
        ({"template": "In short:"}, r"the prompt 'In short:' does not have \{text\} once"),
        ({"template": "{text} {text_pair}"}, r"the prompt .* does not have \{text\} once"),
        ({"template": "{text"}, r"the prompt '\{text' does not have \{text\} once"),
        ({"template": {"joint": 1}}, r"joint of its template is 1, expected a text"),
        ({"template": {"words": ["a"]}}, r"has the words a, expected a word .* `labels:` states none"),
    ],
)
def test_what_is_said_wrongly_is_one_sentence(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        resolve(tmp_path, **said)
    assert "\n" not in str(caught.value)


def test_a_row_without_a_target_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.jsonl, rows 2 and 4 have no text to write in 'summary'"):
        resolve(tmp_path, [("a", "b"), ("b", ""), ("c", "d"), ("d", None), *ROWS])


def test_labels_may_have_words(tmp_path: Path) -> None:
    rows = [(text, "ham" if i % 2 else "spam") for i, (text, _) in enumerate(ROWS[:60])]
    said = {"target": None, "label": "summary"}
    assert resolve(tmp_path, rows, **said).spec.written_as.words == ("ham", "spam")
    prompted = resolve(tmp_path, rows, **said, template="{text}").spec.written_as
    assert prompted == Template("{text}", words=("ham", "spam"))
    worded = {"template": {"words": ["good", "bad"]}, "labels": ["ham", "spam"]}
    assert resolve(tmp_path, rows, **said, **worded).spec.written_as.words == ("good", "bad")
    with pytest.raises(DataError, match=r"the words good, expected .* `labels:` states ham, spam"):
        resolve(tmp_path, rows, **said, **{**worded, "template": {"words": ["good"]}})
