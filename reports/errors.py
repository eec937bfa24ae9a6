"""The one error of this package."""

from __future__ import annotations


class RecordError(ValueError):
    """A record, or a set of records, that cannot be used; the message is one sentence."""
