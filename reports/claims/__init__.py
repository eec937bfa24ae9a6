"""Claims, each with the rule that turns records into a verdict; may import `stats`, `records`."""

from __future__ import annotations

from reports.claims.claim import Claim, Judgement, Unmeasured, judge, parse_claim

__all__ = ["Claim", "Judgement", "Unmeasured", "judge", "parse_claim"]
