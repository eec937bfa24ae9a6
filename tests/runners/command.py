"""Running the command inside the tests' process."""

from __future__ import annotations

import sys
from unittest import mock

from runners.cli import app as cli


def paretune(*arguments: str) -> int:
    """Run the command as a user does, on a wide terminal (see `tests/conftest.py`); return the exit code."""
    with mock.patch.object(sys, "argv", ["paretune", *arguments]):
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0
