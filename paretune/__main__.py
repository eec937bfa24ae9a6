"""``python -m paretune``: the command ``paretune``, by the Python that is meant."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command, which takes no module from the working folder, as ``paretune`` does not.

    For ``-m`` Python puts that folder in front of what is installed: a file there that is named like a
    library would be taken for it.
    """
    home = Path(__file__).resolve().parents[1]
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()] and Path.cwd().resolve() != home:
        del sys.path[0]
    from runners.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
