"""A claim as a study file states it, and the verdict that its records give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reports import text
from reports.claims import contrast, hanging, latency, reach, serving, spread, transfer, trend
from reports.claims.finding import Finding
from reports.claims.region import VerdictName
from reports.claims.select import Pool
from reports.errors import RecordError
from reports.records.latency_schema import LatencyRecord
from reports.records.schema import Record
from reports.records.serving_schema import ServingRecord
from reports.stats.p_values import holm, p_value
from reports.stats.verdict import ALPHA

TrialRule = contrast.Rule | trend.Rule | transfer.Rule | spread.Rule | reach.Rule
Rule = Annotated[TrialRule | latency.Rule | serving.Rule, Field(discriminator="kind")]

_ON_TRIALS: Mapping[type[BaseModel], Callable[[Any, Pool], Finding]] = {
    contrast.Rule: contrast.evaluate,
    trend.Rule: trend.evaluate,
    transfer.Rule: transfer.evaluate,
    spread.Rule: spread.evaluate,
    reach.Rule: reach.evaluate,
}


class Part(BaseModel):
    """One statement of a claim with the rule that decides it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: str = Field(min_length=1, description="the statement")
    in_words: str = Field(min_length=1, description="when it counts as supported, for people")
    rule: Rule


class Claim(BaseModel):
    """The ``claim`` of a study file, written before anything is measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, description="its place on the page")
    statement: str = Field(min_length=1)
    source: str = Field(min_length=1, description="paper and section")
    url: str = Field(pattern=r"^https://\S+$")
    measured: str = Field(min_length=1, description="model, data, methods, seeds, and what is read off")
    parts: list[Part] = Field(min_length=1, description="all have to hold")
    needs: str = Field(min_length=1, description="what it would take to decide it where this does not")


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, and on each of its parts."""

    name: str
    claim: Claim
    verdict: VerdictName
    findings: tuple[Finding, ...]
    records: tuple[Record, ...]
    latencies: tuple[LatencyRecord, ...] = ()
    servings: tuple[ServingRecord, ...] = ()
    whose: str = ""
    """Who measured the records, where that is not the maintainers: it is their verdict then, and not ours."""

    @property
    def rests_on(self) -> int:
        """How many records of whatever kind were given to it."""
        return len(self.records) + len(self.latencies) + len(self.servings)

    @property
    def sentence(self) -> str:
        """The verdict with the numbers of the part that decides it, or how many parts were decided."""
        if len(self.findings) == 1:
            return self.findings[0].said
        counts = [
            f"{sum(finding.verdict == name for finding in self.findings)} {name}"
            for name in ("supported", "not supported", "not decided")
            if any(finding.verdict == name for finding in self.findings)
        ]
        return f"Of {text.plural(len(self.findings), 'part')}, {text.listing(counts)}."


@dataclass(frozen=True)
class Unmeasured:
    """A claim that has its rule and no records yet."""

    name: str
    claim: Claim
    hours: float | None
    """Of its study, one trial after another; None where nothing tells them."""


def parse_claim(content: Any, study: str) -> Claim:
    """Check the ``claim`` of a study file.

    Raises:
        RecordError: it is missing or wrong; one sentence.
    """
    if not isinstance(content, Mapping):
        raise RecordError(f"the study {study} states no claim: expected a mapping under `claim`.")
    try:
        return Claim.model_validate(dict(content))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        reason = fault["msg"].removeprefix("Value error, ")
        raise RecordError(f"the claim of the study {study}: {where}: {reason}.") from None


def judge(
    name: str,
    claim: Claim,
    records: Sequence[Record] = (),
    latencies: Sequence[LatencyRecord] = (),
    servings: Sequence[ServingRecord] = (),
) -> Judgement:
    """Decide a claim by its records.

    It is supported when all of its parts are, not supported when one of them is not, and otherwise not
    decided. Parts that ask for the permutation test stay undecided unless it agrees after Holm's correction
    over those parts.
    """
    findings = _tested([_evaluated(part.rule, records, latencies, servings) for part in claim.parts])
    verdicts = {finding.verdict for finding in findings}
    verdict: VerdictName = "supported"
    if "not supported" in verdicts:
        verdict = "not supported"
    elif "not decided" in verdicts:
        verdict = "not decided"
    found = tuple(findings)
    return Judgement(name, claim, verdict, found, tuple(records), tuple(latencies), tuple(servings))


def _evaluated(
    rule: Rule,
    records: Sequence[Record],
    latencies: Sequence[LatencyRecord],
    servings: Sequence[ServingRecord],
) -> Finding:
    """By the records of the kind that the rule reads."""
    if isinstance(rule, latency.Rule):
        return latency.evaluate(rule, latencies)
    if isinstance(rule, serving.Rule):
        return serving.evaluate(rule, servings)
    return hanging.evaluated(_ON_TRIALS[type(rule)], rule, records)


def _tested(findings: list[Finding]) -> list[Finding]:
    """Take back verdicts that the permutation test does not confirm."""
    tested = [index for index, finding in enumerate(findings) if finding.p is not None]
    adjusted = holm([findings[index].p or 0.0 for index in tested])
    checked = list(findings)
    for index, p in zip(tested, adjusted, strict=True):
        finding = findings[index]
        test = f" Sign-flip test against the bound: p = {p_value(p)}"
        test += f" after Holm's correction for {len(tested)} parts." if len(tested) > 1 else "."
        checked[index] = replace(finding, sentence=finding.sentence + test)
        if p > ALPHA:  # what it would be otherwise was not held against this test
            checked[index] = replace(checked[index], verdict="not decided", hangs_on="")
    return checked
