"""The page of verdicts: a table of all claims, then each with its rule, its numbers and its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from reports import text
from reports.claims.claim import Judgement, Part
from reports.claims.figures import draw
from reports.claims.finding import Finding
from reports.claims.region import VerdictName
from reports.errors import RecordError
from reports.export import escape_markdown, safe_csv
from reports.figures import figure_json
from reports.files import write_atomically
from reports.html import Page, Shell, assets, nonce, render
from reports.identity import identity
from reports.schema import LatencyRecord, Record

TITLE = "Do the claims hold?"
MARKS: dict[VerdictName, str] = {"supported": "✓", "not supported": "✗", "not decided": "?"}


@dataclass(frozen=True)
class PartView:
    """A part of a claim beside what was found."""

    anchor: str
    part: Part
    finding: Finding
    figure: Markup | None


@dataclass(frozen=True)
class ClaimView:
    """A claim with everything the template says about it."""

    anchor: str
    judgement: Judgement
    parts: list[PartView]
    facts: list[tuple[str, str]]


def write_page(judgements: Sequence[Judgement], folder: Path | str) -> Path:
    """Write `claims.html`, its tables and `assets/` into a folder; return the path of the page.

    The folder is no site of its own: the records of the claims may lie in it.

    Raises:
        RecordError: there is no claim.
    """
    if not judgements:
        raise RecordError("there are no claims to report on.")
    folder = Path(folder)
    content, table = page(judgements), safe_csv(frame(judgements))
    measured = behind(judgements)
    stamp = nonce([TITLE, table, *(record.model_dump_json() for record in measured), *assets().values()])
    for name, asset in assets().items():
        write_atomically(folder / "assets" / name, asset, durable=False)
    write_atomically(folder / "claims.csv", table)
    write_atomically(folder / "claims.md", markdown(judgements))
    return write_atomically(folder / "claims.html", render(content, Shell(TITLE, stamp)))


def in_order(judgements: Sequence[Judgement]) -> list[Judgement]:
    """By the number of the claim."""
    return sorted(judgements, key=lambda judgement: (judgement.claim.number, judgement.name))


def behind(judgements: Sequence[Judgement]) -> list[Record | LatencyRecord]:
    """What they were measured by."""
    found: list[Record | LatencyRecord] = []
    for judgement in in_order(judgements):
        found += [*judgement.records, *judgement.latencies]
    return found


def page(judgements: Sequence[Judgement]) -> Page:
    """The page, for a site or by itself."""
    counts = ", ".join(
        f"{sum(judgement.verdict == verdict for judgement in judgements)} {verdict}" for verdict in MARKS
    )
    context = {
        "scope": f"{text.plural(len(judgements), 'claim')}: {counts}",
        "views": [_view(judgement) for judgement in in_order(judgements)],
        "marks": MARKS,
    }
    return Page(
        "claims.html",
        TITLE,
        "claims.html.j2",
        context,
        (("claims.csv", "CSV"), ("claims.md", "Markdown")),
        ("plotly.min.js", "figures.js"),
        about=str(context["scope"]),
    )


def frame(judgements: Sequence[Judgement]) -> pd.DataFrame:
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
                    "part": part.says,
                    "part_verdict": finding.verdict,
                    "value": finding.estimate.value,
                    "value_low": interval.low if interval else None,
                    "value_high": interval.high if interval else None,
                    "at_least": part.rule.at_least,
                    "at_most": part.rule.at_most,
                    "p": finding.p,
                    "n_records": finding.records,
                    "found": finding.sentence,
                }
            )
    return pd.DataFrame(rows)


def markdown(judgements: Sequence[Judgement]) -> str:
    """The verdicts as a Markdown table, a row a claim."""
    lines = ["| | Claim | Verdict | What was found |", "| ---: | --- | --- | --- |"]
    for judgement in in_order(judgements):
        claim = judgement.claim
        found = "<br>".join(
            f"{MARKS[finding.verdict]} {escape_markdown(part.says)} {finding.value}".rstrip()
            for part, finding in zip(claim.parts, judgement.findings, strict=True)
        )
        lines.append(
            f"| {claim.number} | {escape_markdown(claim.statement)} | {judgement.verdict} | {found} |"
        )
    return "\n".join(lines) + "\n"


def _view(judgement: Judgement) -> ClaimView:
    anchor = f"claim-{judgement.claim.number}"
    parts, drawn = [], []
    for number, (part, finding) in enumerate(
        zip(judgement.claim.parts, judgement.findings, strict=True), start=1
    ):
        figure = None
        if finding.plot and finding.plot not in drawn:  # parts of one claim may look at the same numbers
            drawn.append(finding.plot)
            made = draw(finding.plot)
            figure = Markup(figure_json(made)) if made else None
        parts.append(PartView(f"{anchor}-{number}", part, finding, figure))
    return ClaimView(anchor, judgement, parts, _facts(judgement))


def _facts(judgement: Judgement) -> list[tuple[str, str]]:
    """What was measured, where, and the command."""
    trials, comparisons = judgement.records, judgement.latencies
    facts = [("Measured", judgement.claim.measured)]
    everything: list[Record | LatencyRecord] = [*trials, *comparisons]
    if trials:
        seeds = len({identity(record).seed for record in trials})
        ended = sum(record.status == "completed" for record in trials)
        told = f"{text.plural(len(trials), 'trial')} with {text.plural(seeds, 'seed')}, {ended} completed"
        facts += [
            ("Trials", told),
            ("Tasks", _joined(identity(record).task for record in trials)),
            ("Settings", "fixed, as the study states them" + _grid_note(judgement)),
        ]
    if comparisons:
        facts.append(("Comparisons", str(len(comparisons))))
    if everything:
        where = [record.environment for record in everything]
        commits = (f"{e.commit or '–'}{'' if e.tree_clean else ', tree not clean'}" for e in where)
        facts += [
            ("Model", _joined([*(identity(r).model for r in trials), *(r.model for r in comparisons)])),
            ("Device", _joined(f"{e.device_name}, {text.plural(e.threads, 'thread')}" for e in where)),
            (
                "Code",
                _joined(
                    f"paretune {e.paretune_version}, commit {c}" for e, c in zip(where, commits, strict=True)
                ),
            ),
            ("From", min(record.started_at for record in everything)),
        ]
    return [*((name, text.clean(value, 2000)) for name, value in facts), ("Run", _command(judgement))]


def _grid_note(judgement: Judgement) -> str:
    chosen = {getattr(part.rule, "choose", None) for part in judgement.claim.parts} - {None}
    told = ", ".join(sorted(str(setting).split(".")[-1].replace("_", " ") for setting in chosen))
    return f"; {told} chosen from the values tried, on the selection split" if told else ""


def _command(judgement: Judgement) -> str:
    return f"paretune claims {judgement.name}"


def _joined(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text.clean(value) for value in values))
