"""Studies that put a claim to the test: they run like any other, and their claim is judged by the records.

A claim's study is a file ``studies/claim-NAME.yaml``, of trials or of latency, with one more key, ``claim``:
what is claimed, by whom, and the rule that decides (:mod:`reports.claims`). Whoever reads the file as an
ordinary study passes over that key, so ``paretune run claim-NAME`` runs it as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from methods.errors import nearest
from reports.claims import Claim, parse_claim
from reports.records.identity import CLAIM
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.latency_study import LatencyStudy, parse_latency_study
from runners.plan.serving_study import ServingStudy, parse_serving_study
from runners.plan.study import Study, parse_study


@dataclass(frozen=True)
class ClaimStudy:
    """A claim and the study that tests it."""

    name: str
    """Without the prefix; also the name of its folder of records."""
    claim: Claim
    study: Study | LatencyStudy | ServingStudy


def names() -> tuple[str, ...]:
    """The claims that come with Paretune, in the order of their numbers."""
    found = [name.removeprefix(CLAIM) for name in study.built_in() if name.startswith(CLAIM)]
    return tuple(sorted(found, key=lambda name: read_claim(name).claim.number))


def read_claim(name: str, data: str | None = None) -> ClaimStudy:
    """Read a claim's study: one of :func:`names`, with or without the prefix, or a file.

    Args:
        name: which.
        data: a data folder that replaces the study's own.

    Raises:
        SpecError, RecordError: no such claim, or a fault in its file; one sentence.
        MethodError, TaskError: an unknown method, option or task.
    """
    path = Path(name)
    if path.is_file():
        content = study.content(name)
    else:
        short = name.removeprefix(CLAIM)
        valid = [known.removeprefix(CLAIM) for known in study.built_in() if known.startswith(CLAIM)]
        if short not in valid:
            hint = nearest(short, valid)
            raise SpecError(f"there is no claim {name!r}: give one of the built-in claims or a file; {hint}.")
        content = study.content(CLAIM + short)
    claim = parse_claim(content.get("claim"), content["name"])
    made: Study | LatencyStudy | ServingStudy
    if content.get("kind") == "latency":
        made = parse_latency_study(content)
    elif content.get("kind") == "serving":
        made = parse_serving_study(content)
    else:
        made = parse_study(content, data)
    return ClaimStudy(content["name"].removeprefix(CLAIM), claim, made)
