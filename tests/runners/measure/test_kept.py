"""Predicted memory is kept, and what is broken is predicted anew."""

from __future__ import annotations

import pytest

from runners import shapes
from runners.measure import kept
from runners.measure.footprint import Setting, Workbench


def test_memory_is_predicted_once_and_a_broken_file_is_none(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    setting, made = Setting(tiny_model, 2, 8), []

    def bench() -> Workbench:
        made.append(1)
        return Workbench(setting, "predicted")

    first = kept.footprint(setting, "bitfit", {}, bench)
    assert kept.footprint(setting, "bitfit", {}, bench) == first
    assert len(made) == 1
    (file,) = (tmp_path / "paretune" / "memory").iterdir()
    file.write_text(file.read_text().replace(str(first.peak_training_bytes), "null"))
    assert kept.footprint(setting, "bitfit", {}, bench) == first
    assert len(made) == 2


@pytest.mark.parametrize("change", [{"batch_size": 3}, {"sequence_length": 9}, {"num_labels": 3}])
def test_other_sizes_lie_elsewhere(tiny_model, change):
    asked = {"batch_size": 2, "sequence_length": 8, "num_labels": 2}
    assert shapes.place(tiny_model, "memory", asked) != shapes.place(tiny_model, "memory", asked | change)
