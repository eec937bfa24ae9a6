"""What is said of a model as a trial loads it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from runners.plan.spec import TrialSpec
from runners.trials.trial import Keeping, run_trial


def test_what_the_checkpoint_lacks_is_said_once_and_is_in_every_record(
    tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    """A layer drawn at random is none that was pretrained: it trains and is kept with the head."""
    folder = tmp_path / "lacking"
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    lacking = sorted(name for name in weights if "pooler" in name)
    assert len(lacking) == 2
    kept = {name: weight for name, weight in weights.items() if name not in lacking}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    said: list[str] = []
    given: dict[str, Any] = {"task": "cola", "data": glue_folder, "method": "head", "costs": None}
    given["protocol"] = {"steps": 2, "batch_size": 4}
    for seed in (0, 1):
        spec = TrialSpec(model=str(folder), seed=seed, **given)
        record = run_trial(spec, keeping=Keeping(say=said.append))
        assert record.model
        assert record.model.head
        assert all(name in record.model.head for name in ("pooler.dense.bias", "pooler.dense.weight"))
        assert record.parameters
        width = weights[lacking[0]].shape[0]
        assert record.parameters.head == width * (width + 1) + 2 * (width + 1)  # pooler and classifier
    (line,) = said
    assert line.startswith(f"The checkpoint {str(folder)!r} has no weights of")
    assert "pooler.dense.bias and" in line
    record = run_trial(TrialSpec(model=tiny_model, **given), keeping=Keeping(say=said.append))
    assert record.model
    assert "drawn in the body" not in str(record.model.head)
    assert len(said) == 1
