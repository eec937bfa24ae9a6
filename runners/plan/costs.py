"""How the costs of a trained method are measured: no part of a trial, the same for all seeds of a setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from methods.errors import explain
from runners.plan.errors import SpecError

NONE: Final = "none"
"""Where a study measures no costs."""

NOT_OF_COSTS: Final = (
    *("learning_rate", "weight_decay", "warmup_share", "gradient_clip"),
    *("evaluate_every", "scored_examples"),
)
"""What of a protocol no cost depends on; trials that differ in these and in the seed share their costs."""


class CostSettings(BaseModel):
    """How memory, latency, FLOPs and serving are measured. A study states only what differs from these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_length: int = Field(32, ge=1, description="input tokens of the latency measurement, batch 1")
    latency_rounds: int = Field(200, ge=10, description="interleaved rounds of the latency measurement")
    decoding_prompt: int = Field(
        32, ge=1, description="prompt tokens of the decoding measurement, where a model writes, batch 1"
    )
    decoding_tokens: int = Field(16, ge=2, description="tokens that it writes, whatever it would write")
    decoding_rounds: int = Field(
        30,
        ge=10,
        description="interleaved rounds of the decoding measurement at most, of each kind of token",
    )
    decoding_width: float = Field(
        0.04,
        ge=0,
        description="rounds end where no ratio's interval is wider than this share of it; 0 = all rounds",
    )
    forgetting: str | None = Field(
        None,
        min_length=1,
        description="what is measured before and after: of a causal model that writes the perplexity of this "
        "text, a file or a task of Paretune; of one that classifies a frozen head's accuracy on this task; "
        "none = nothing",
    )
    forgetting_texts: int = Field(100, ge=10, description="texts that perplexity is of, the first ones")

    @classmethod
    def parse(cls, values: Any) -> Self | None:
        """Read the ``costs`` of a study; None where it says ``none``.

        Raises:
            SpecError: an unknown key or a bad value; one sentence.
        """
        if values == NONE:
            return None
        if not isinstance(values, Mapping):
            raise SpecError(f"costs is {values!r}, expected a mapping or {NONE!r}.")
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise SpecError(explain(error, "costs", cls)) from None
