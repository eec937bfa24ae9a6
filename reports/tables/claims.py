"""Verdicts on claims as tables: a row for every part, and in Markdown a row for every claim."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.claims.claim import Judgement
from reports.claims.region import VerdictName
from reports.tables.markdown import escape_markdown

MARKS: dict[VerdictName, str] = {"supported": "✓", "not supported": "✗", "not decided": "?"}


def in_order(judgements: Sequence[Judgement]) -> list[Judgement]:
    """By the number of the claim."""
    return sorted(judgements, key=lambda judgement: (judgement.claim.number, judgement.name))


def claims_frame(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """A row for every part of every claim, with raw numbers."""
    rows = []
    for judgement in in_order(judgements):
        for part, finding in zip(judgement.claim.parts, judgement.findings, strict=True):
            interval = finding.estimate.interval
            rows.append(
                {
                    "claim": judgement.claim.number,
                    "name": judgement.name,
                    "verdict": judgement.verdict,
                    "whose": judgement.whose or None,
                    "part": part.says,
                    "part_verdict": finding.verdict,
                    "value": finding.estimate.value,
                    "value_low": interval.low if interval else None,
                    "value_high": interval.high if interval else None,
                    "at_least": part.rule.at_least,
                    "at_most": part.rule.at_most,
                    "p": finding.p,
                    "n_records": finding.records,
                    "found": finding.said,
                }
            )
    return pd.DataFrame(rows)


def claims_markdown(judgements: Sequence[Judgement]) -> str:
    """The verdicts as a Markdown table, a row a claim."""
    lines = ["| | Claim | Verdict | What was found |", "| ---: | --- | --- | --- |"]
    for judgement in in_order(judgements):
        claim = judgement.claim
        found = "<br>".join(
            f"{MARKS[finding.verdict]} {escape_markdown(part.says)} {finding.told}".rstrip()
            for part, finding in zip(claim.parts, judgement.findings, strict=True)
        )
        lines.append(
            f"| {claim.number} | {escape_markdown(claim.statement)} | {judgement.verdict}{_whose(judgement)} "
            f"| {found} |"
        )
    return "\n".join(lines) + "\n"


def _whose(judgement: Judgement) -> str:
    return f" ({escape_markdown(judgement.whose)})" if judgement.whose else ""
