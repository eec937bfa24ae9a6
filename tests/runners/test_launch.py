"""What of a launcher's environment is refused; through accelerate itself in ``test_device.py``."""

from __future__ import annotations

import pytest

from runners import launch


def test_more_processes_than_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(launch.LaunchError, match=r"3 processes .* with 2 devices"):
        launch.check(devices=2)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    launch.check(devices=2)
