"""The methods of this process by name, filled by the package's face, for rooms that look one up."""

from __future__ import annotations

from typing import Any

KNOWN: dict[str, Any] = {}
"""Each a ``methods.core.Method``."""
