"""What is wrong with a plan."""

from __future__ import annotations


class SpecError(ValueError):
    """A study or a trial is described wrongly; the message is one sentence for the user."""
