"""What may go wrong in a way that a sentence tells; what is wrong with a plan is in `plan/errors.py`.

They need no other file, so that a mistake of the user is answered without importing what it is not about.
"""

from __future__ import annotations


class ModelError(ValueError):
    """A model cannot be found or read; the message is one sentence for the user."""


class PeerError(ValueError):
    """Another process could not go on. Its cause is out of memory where the other's was."""


class UnwrittenError(ValueError):
    """Records could not be written to the end; the message is one sentence for the user."""
