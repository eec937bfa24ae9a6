"""The page of verdicts: a table of all claims, then each with its rule, its numbers and its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reports import text
from reports.claims.claim import Judgement, Part, Unmeasured
from reports.claims.finding import Finding
from reports.errors import RecordError
from reports.records.atomic import write_atomically
from reports.records.identity import identity
from reports.records.origins import Measured
from reports.records.schema import Record
from reports.site.parts.claims_figure import draw
from reports.site.parts.figures import figure_json
from reports.site.parts.html import FIGURES, Page, Shell, assets, render
from reports.tables.claims import MARKS, claims_frame, claims_markdown, in_order
from reports.tables.formats import safe_csv

TITLE = "Do the claims hold?"


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


def write_claims_page(judgements: Sequence[Judgement], folder: Path | str) -> Path:
    """Write `claims.html`, its tables and `assets/` into a folder; return the path of the page.

    The folder is no site of its own: the records of the claims may lie in it.

    Raises:
        RecordError: there is no claim.
    """
    if not judgements:
        raise RecordError("there are no claims to report on.")
    folder = Path(folder)
    content, table = claims_page(judgements), safe_csv(claims_frame(judgements))
    for name, asset in assets().items():
        write_atomically(folder / "assets" / name, asset, durable=False)
    write_atomically(folder / "claims.csv", table)
    write_atomically(folder / "claims.md", claims_markdown(judgements))
    return write_atomically(folder / "claims.html", render(content, Shell(TITLE)))


def claims_page(judgements: Sequence[Judgement], waiting: Sequence[Unmeasured] = ()) -> Page:
    """The page, for a site or by itself; ``waiting`` are claims with a rule that nobody has measured yet."""
    ours = [judgement for judgement in judgements if not judgement.whose]
    counts = ", ".join(
        f"{sum(judgement.verdict == verdict for judgement in ours)} {verdict}" for verdict in MARKS
    )
    others = len(judgements) - len(ours)
    more = f"; {others} more on records that others report" if others else ""
    context = {
        "scope": f"{text.plural(len(ours), 'claim')}: {counts}{more}",
        "views": [_view(judgement) for judgement in in_order(judgements)],
        "marks": MARKS,
        "waiting": waiting,
    }
    return Page(
        "claims.html",
        TITLE,
        "claims.html.j2",
        context,
        (("claims.csv", "CSV"), ("claims.md", "Markdown")),
        FIGURES,
        about=str(context["scope"]),
    )


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
    trials, comparisons, servings = judgement.records, judgement.latencies, judgement.servings
    facts = [("Measured", judgement.claim.measured)]
    everything: list[Measured] = [*trials, *comparisons, *servings]
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
    if servings:
        batches = sum(len(record.batches) for record in servings)
        served = _joined(record.label for record in servings)
        facts.append(("Served", f"{served}; {text.plural(batches, 'comparison')} of batches"))
    if everything:
        where = [record.environment for record in everything]
        commits = (f"{e.commit or '–'}{'' if e.tree_clean else ', tree not clean'}" for e in where)
        facts += [
            ("Model", _joined(_model(record) for record in everything)),
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


def _model(record: Measured) -> str:
    return identity(record).model if isinstance(record, Record) else record.model


def _grid_note(judgement: Judgement) -> str:
    chosen = {getattr(part.rule, "choose", None) for part in judgement.claim.parts} - {None}
    told = ", ".join(sorted(str(setting).split(".")[-1].replace("_", " ") for setting in chosen))
    return f"; {told} chosen from the values tried, on the selection split" if told else ""


def _command(judgement: Judgement) -> str:
    return f"paretune claims {judgement.name}"


def _joined(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text.clean(value) for value in values))
