import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def official():
    """What the official programs say: tests/golden/make_written.py."""
    file = Path(__file__).parents[2] / "golden" / "written.json"
    return json.loads(file.read_text(encoding="utf-8"))
