"""The rule that picks a method, on the page and in Python, are one rule."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reports.site.parts.board import make_board
from reports.site.parts.chooser import chooser, content
from reports.site.parts.html import STATIC
from reports.stats.choice import Candidate, Evidence, choose, different_examples
from reports.stats.difference import Difference
from reports.stats.estimate import Interval
from reports.stats.learning import Risk
from reports.stats.verdict import Verdict

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="the dev extra is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")
COSTS = ("parameters", "memory", "seconds", "latency", "merged", "storage")


def _evidence(rng: random.Random) -> Evidence:
    """Made up, with all that can be missing: ranks, costs, intervals, comparisons."""
    labels = [f"m{number}" for number in range(rng.randint(1, 6))]
    ranked = rng.randint(0, len(labels))
    candidates = tuple(
        Candidate(
            label,
            rank=float(place) if place < ranked else None,
            risk=Risk(3, rng.randint(0, 3)),
            costs={name: rng.choice([None, 1.0, 2.0, 3.0, 4.0]) for name in COSTS},
        )
        for place, label in enumerate(labels)
    )
    verdicts = tuple(
        _verdict(rng, first, second)
        for place, first in enumerate(labels)
        for second in labels[place + 1 :]
        if rng.random() < 0.9
    )
    return Evidence("model", ("task",), candidates, verdicts, "little")


def _verdict(rng: random.Random, first: str, second: str) -> Verdict:
    middle, half = rng.choice([-0.1, 0.0, 0.005, 0.1]), rng.choice([0.004, 0.05, 0.2])
    ends = Interval(middle - half, middle + half) if rng.random() < 0.8 else None
    found = Difference(middle, ends, None, None, 3, {"task": middle}, 0)
    risks = (Risk(3, rng.randint(0, 2)), Risk(3, rng.randint(0, 2)))
    made = Verdict(first, second, found if rng.random() < 0.9 else None, risks, 0.8, 0.01, 3)
    return made if rng.random() < 0.5 else made.swapped


def test_page_and_package_pick_the_same_within_random_limits() -> None:
    rng = random.Random(24)
    cases = []
    for _ in range(600):
        limits = {name: rng.choice([0.5, 1.0, 2.5, 3.0]) for name in rng.sample(COSTS, rng.randint(0, 4))}
        cases.append((_evidence(rng), limits))
    asked = [[content(found), limits] for found, limits in cases]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.add_script_tag(content=(Path(STATIC) / "choose.js").read_text())
        script = (
            "text => JSON.stringify(JSON.parse(text).map(([found, limits]) => Choice.choose(found, limits)))"
        )
        answers = json.loads(tab.evaluate(script, json.dumps(asked)))
        browser.close()
    kinds: set[str] = set()
    for (found, limits), answer in zip(cases, answers, strict=True):
        choice = choose(found, limits)
        kinds.add(choice.certainty)
        assert answer == {
            "pick": choice.pick,
            "certainty": choice.certainty,
            "leader": choice.leader,
            "alike": list(choice.alike),
            "open": list(choice.open),
            "worse": list(choice.worse),
            "binding": choice.binding,
            "ruledOut": {label: list(names) for label, names in choice.ruled_out.items()},
        }, (found, limits)
    assert kinds == {"decided", "leads", "only", "no evidence"}, "every kind of answer was asked for"
    empty = replace(cases[0][0], candidates=(), verdicts=())
    assert choose(empty, {}).pick is None


def test_seeds_that_are_missing_are_named_with_their_command_and_time(make_study, make_record) -> None:
    one = make_study(seeds=1)
    found = chooser(make_board(one, "Title"))[0]
    seconds = sum(record.training.seconds for record in one if record.training)
    assert found["more"] == {"command": "paretune run demo --seeds 3", "seconds": pytest.approx(2 * seconds)}
    assert chooser(make_board(make_study(seeds=3), "Title"))[0]["more"] is None
    of_a_claim = [record.model_copy(update={"study": "claim-lora-alpha"}) for record in one]
    assert chooser(make_board(of_a_claim, "Title"))[0]["more"] is None  # `run` takes no other seeds for it
    mixed = [*one, make_record("ia3", study="other", score=0.7)]
    assert chooser(make_board(mixed, "Title"))[0]["more"] is None, "which of the two studies is not known"


def test_the_sizes_are_those_of_the_largest_memory(make_study) -> None:
    records = make_study(seeds=1)
    most = max((record.memory for record in records if record.memory), key=lambda m: m.peak_training_bytes)
    found = chooser(make_board(records, "Title"))[0]["sizes"]
    assert found == (most.batch_size, most.sequence_length)


@pytest.mark.parametrize(("train", "processed", "different"), [(100, 40, 40), (100, 400, 100)])
def test_an_example_seen_twice_is_one(make_record, train: int, processed: int, different: int) -> None:
    record = make_record()
    assert record.training
    assert record.task
    sizes = record.task.sizes.model_copy(update={"train": train})
    seen = record.model_copy(
        update={
            "training": record.training.model_copy(update={"examples": processed}),
            "task": record.task.model_copy(update={"sizes": sizes}),
        }
    )
    assert different_examples(seen) == different
    assert different_examples(record.model_copy(update={"training": None})) is None
