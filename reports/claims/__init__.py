"""Claims put to the test: a rule that was written before measuring turns records into a verdict."""

from __future__ import annotations

from reports.claims.claim import Claim, Judgement, judge, parse
from reports.claims.page import frame, write_page

__all__ = ["Claim", "Judgement", "frame", "judge", "parse", "write_page"]
