"""What a method can do on a model: what is asked, and the answer."""

from __future__ import annotations

from dataclasses import dataclass, field

ACTS = ("train", "merge", "generate", "export")
"""What is tried: a forward and a backward pass; :meth:`Adapted.merge`; writing text, with a cache as without;
:meth:`Adapted.export_peft`."""


@dataclass(frozen=True)
class Capability:
    """What one method can do on one model."""

    method: str
    why_not: dict[str, str] = field(default_factory=dict)
    """Of :data:`ACTS`, those that it cannot do, each with the sentence that says why."""

    def can(self, act: str) -> bool:
        """Whether it can do one of :data:`ACTS`."""
        return act not in self.why_not
