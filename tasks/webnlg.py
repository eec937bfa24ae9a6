"""WebNLG of the challenge of 2017, as a declaration and the reading of its files.

The hub has it behind loading scripts, which `datasets` no longer runs, and no commit of flat files of it is
known to us. It is read from a folder: that of the LoRA paper's own experiments (github.com/microsoft/LoRA,
`examples/NLG/data/webnlg_challenge_2017`), and as they read it (`format_converting_webnlg.py`): the triples
of an entry as `subject : property : object`, with ` | ` between them, and of its texts those marked as good.
It could not be loaded where this was written; the layout is that of the `dev.json` there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.hub import FolderSource, FurtherSplit
from tasks.spec import BLEU, ROUGE_L, TaskSpec

SEEN = (
    *("Airport", "Astronaut", "Building", "City", "ComicsCharacter", "Food", "Monument", "SportsTeam"),
    *("University", "WrittenWork"),
)
"""The categories that the training set has."""


def rows(file: Path, split: str) -> dict[str, list]:
    """A row for each good text of each entry; of `test_seen` and `test_unseen` those of such categories.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is another one; what is wrong with it.
    """
    content = json.loads(file.read_bytes())
    entries = content.get("entries") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ValueError("expected a JSON object with a list of entries")
    part = split.partition("_")[2]
    found: dict[str, list] = {"triples": [], "lex": []}
    for number, entry in enumerate(entries, 1):
        try:
            category, triples, texts = _entry(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(
                f"entry {number} is {json.dumps(entry)[:60]}, expected a number with category, "
                "modifiedtripleset and lexicalisations"
            ) from None
        if not part or (part == "seen") == (category in SEEN):
            found["triples"] += [triples] * len(texts)
            found["lex"] += texts
    return found


def _entry(entry: Any) -> tuple[str, str, list[Any]]:
    """Its category, its triples as one text, and its good texts."""
    (told,) = entry.values()
    triples = [f"{one['subject']} : {one['property']} : {one['object']}" for one in told["modifiedtripleset"]]
    texts = [one["lex"] for one in told["lexicalisations"] if one["comment"] == "good"]
    return told["category"], " | ".join(triples), texts


WEBNLG = TaskSpec(
    name="webnlg",
    version=1,
    title="WebNLG 2017: write what one to seven triples of DBpedia say",
    description=(
        "The WebNLG challenge of 2017: triples of a subject, a property and an object, and what crowd "
        "workers wrote from them. The whole test set ranks; its entries of categories that training has, and "
        "of those that it has not, are further report splits. BLEU is that of E2E's script; the challenge's "
        "own is of lower-cased words, and its METEOR and TER are not computed."
    ),
    problem_type="generation",
    text_columns=("triples",),
    label_column="lex",
    labels=(),
    metrics=(BLEU, ROUGE_L),
    source=FolderSource(
        hub_id="webnlg_challenge_2017",
        revision="",
        config="default",
        train_split="train",
        report_split="test",
        train_rows=0,
        report_rows=0,
        further_splits=(FurtherSplit("seen", "test_seen", 0), FurtherSplit("unseen", "test_unseen", 0)),
        read=rows,
        home="github.com/microsoft/LoRA, examples/NLG/data",
    ),
    license="CC BY-NC-SA 4.0",
    citation="gardent2017webnlg",
    homepage="https://webnlg-challenge.loria.fr/challenge_2017/",
)

TASKS = (WEBNLG,)
