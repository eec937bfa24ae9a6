"""The result of one latency comparison: methods beside the untouched base, at one batch size and length."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from reports.records.cost_parts import LatencyRow
from reports.records.part import Part
from reports.records.schema import Environment

LATENCY_SCHEMA_VERSION: Final = 1


class LatencyEntry(LatencyRow):
    """One contender of a comparison."""

    label: str = Field(description="`base`, `base again`, or the method with its options, then `, merged`")
    method: str | None = Field(description="null for the untouched base")
    options: dict[str, Any] = Field(description="the method's, all of them")
    merged: bool = Field(description="whether the method was folded into the base first")
    parameters: int = Field(ge=0, description="trained by the method, its head apart")
    max_input_length: int | None = Field(description="user's tokens that fit; null where nothing limits them")


class LatencyRecord(Part):
    """Inference time of a model with and without methods, at one batch size and input length.

    Every contender is timed in every round, in random order; ratios are to the base of the same round.
    """

    schema_version: Literal[1] = LATENCY_SCHEMA_VERSION
    study: str = Field(description="the study that it is of; empty for one that was asked for alone")
    model: str = Field(description="as it was asked for: a hub id, a folder, or the name of an architecture")
    architecture: str = Field(description="transformers model type")
    weights: str = Field(description="`random`, or the revision as in a trial's record")
    base_parameters: int = Field(ge=0, description="of the model without a method")
    dtype: str = Field(description="of all weights")
    phase: Literal["forward", "prefill", "decode"] = Field(
        description="`forward`: an encoder's whole pass; `prefill`: a causal model's pass over the input up "
        "to the first new token's logits; `decode`: one further token with the key/value cache"
    )
    batch_size: int = Field(ge=1, description="inputs of one call")
    sequence_length: int = Field(ge=1, description="the user's tokens; what a method adds comes on top")
    decode_tokens: int | None = Field(
        ge=1, description="steps per timed call of `decode`, whose times are per step"
    )
    rounds: int = Field(ge=1, description="in each of which every contender was timed once")
    width_asked: float = Field(gt=0, description="largest width of an interval, as a share of its ratio")
    widest: float = Field(ge=0, description="width of the widest interval over rounds that was reached")
    seconds_limit: float = Field(gt=0, description="after which no further round began")
    seed: int = Field(description="of random weights, of inputs and of the order within a round")
    entries: tuple[LatencyEntry, ...] = Field(description="the base, the base again, then the methods")
    environment: Environment
    started_at: str = Field(description="ISO 8601, UTC")

    @property
    def control(self) -> LatencyEntry:
        """The base timed against itself: the A/A result."""
        return self.entries[1]

    @property
    def precise(self) -> bool:
        """Whether every interval is as narrow as was asked."""
        return self.widest <= self.width_asked
