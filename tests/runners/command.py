"""Running the command inside the tests' process."""

from __future__ import annotations

import sys
from unittest import mock

from runners import cli


def paretune(*arguments: str) -> int:
    """Run the command as a user does, on a wide terminal; return the exit code."""
    with (
        mock.patch.object(sys, "argv", ["paretune", *arguments]),
        mock.patch.dict("os.environ", COLUMNS="300"),
    ):
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0
