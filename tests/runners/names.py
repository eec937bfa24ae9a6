"""A task of labelled words that a tiny model learns in a blink: persons and places, by their words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PERSONS = ("Anna", "Peter", "Maria", "John")
PLACES = ("Paris", "London", "Rome", "Berlin")


def sentences(split: str, count: int) -> list[tuple[list[str], list[str]]]:
    """Sentences of five to nine words, with their tags."""
    found = []
    for i in range(count):
        words = [PERSONS[i % 4], "Smith", "went", *["again"] * (i % 5), "to", PLACES[i // 4 % 4]]
        tags = ["B-PER", "I-PER", "O", *["O"] * (i % 5), "O", "B-LOC"]
        found.append(([*words, f"{split}{i}"], [*tags, "O"]))
    return found


def own_task(folder: Path, train: int = 60, report: int = 20) -> dict[str, Any]:
    """Files of CoNLL's layout in a folder, as a study names them."""
    for split, count in (("train", train), ("report", report)):
        lines = []
        for words, tags in sentences(split, count):
            lines += [f"{word} {tag}" for word, tag in zip(words, tags, strict=True)] + [""]
        (folder / f"{split}.conll").write_text("\n".join(lines))
    files = {split: str(folder / f"{split}.conll") for split in ("train", "report")}
    return {"name": "names", "text": "tokens", "label": "ner_tags", **files}
