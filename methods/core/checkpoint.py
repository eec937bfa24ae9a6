"""What is kept of a trained method: its options and tensors, and the task head's. Never the base."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from methods.errors import MethodError

FORMAT_VERSION = 1
MANIFEST = "paretune.json"
TENSORS = "paretune.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A trained method in memory, or in a folder of two files: a JSON manifest and safetensors."""

    method: str
    options: dict[str, Any]
    architecture: str
    """The transformers model type it was trained on."""
    tensors: dict[str, Tensor]
    """``method.*`` and ``head.*``."""
    origin: str = "the checkpoint"
    """What an error message calls it."""
    model: dict[str, Any] = field(default_factory=dict)
    """``name``, ``class`` and ``num_labels`` of the model it was trained on, as far as that is known."""

    @property
    def bytes(self) -> int:
        """Size of the tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())

    def write(self, path: str | Path) -> Path:
        """Write both files; return the folder, which is made if need be."""
        manifest = {
            "format_version": FORMAT_VERSION,
            "method": self.method,
            "options": self.options,
            "architecture": self.architecture,
            "model": self.model,
        }
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in self.tensors.items()}, folder / TENSORS)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        return folder

    @staticmethod
    def lies_in(path: str | Path) -> bool:
        """Whether a folder is one that :meth:`write` made."""
        return (Path(path) / MANIFEST).is_file()

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a folder that :meth:`write` made.

        Raises:
            MethodError: it is not one, its manifest is not JSON, or its format is unknown.
        """
        folder = Path(path)
        file = folder / MANIFEST
        try:
            manifest = json.loads(file.read_text())
        except OSError:
            raise MethodError(f"{folder} is not a saved method: it has no {MANIFEST}.") from None
        except json.JSONDecodeError as error:
            raise MethodError(f"{file} is not valid JSON: {error}.") from None
        version = manifest.get("format_version") if isinstance(manifest, dict) else None
        if version != FORMAT_VERSION:
            raise MethodError(f"{file} has format_version {version!r}, expected {FORMAT_VERSION}.")
        try:
            tensors = load_file(folder / TENSORS)
        except (OSError, SafetensorError) as error:
            raise MethodError(f"cannot read {folder / TENSORS}: {error}.") from None
        fields = (manifest["method"], manifest["options"], manifest["architecture"])
        return cls(*fields, tensors, f"the checkpoint {folder}", manifest.get("model", {}))
