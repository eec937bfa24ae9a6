"""What sweeps is light; that it leaves nothing is in tests/runners/executors/test_on_ray.py."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.test_light import HEAVY

pytest.importorskip("ray", reason="needs ray: pip install 'paretune[ray]'")


def test_a_process_that_sweeps_imports_nothing_of_what_jobs_need() -> None:
    code = f"import sys, runners.cluster.folders; print([n for n in {HEAVY} if n in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.strip() == "[]"
