"""What is kept of a trained method: its options and tensors, and the task head's. Never the base."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from methods.errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

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
        from safetensors.torch import save_file

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
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        return folder

    @staticmethod
    def lies_in(path: str | Path) -> bool:
        """Whether a folder is one that :meth:`write` made."""
        return (Path(path) / MANIFEST).is_file()

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a folder that :meth:`write` made.

        Raises:
            MethodError: it is not one, its manifest is malformed, or its format is unknown.
        """
        folder = Path(path)
        manifest = _manifest(folder)
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(folder / TENSORS)
        except (OSError, SafetensorError) as error:
            raise MethodError(f"cannot read {folder / TENSORS}: {error}.") from None
        fields = (manifest["method"], manifest["options"], manifest["architecture"])
        return cls(*fields, tensors, f"the checkpoint {folder}", manifest.get("model", {}))


_FIELDS: dict[str, tuple[type, str]] = {
    "method": (str, "a name"),
    "options": (dict, "an object"),
    "architecture": (str, "a name"),
    "model": (dict, "an object"),
}
"""What a manifest holds beside its version, each with its type; ``model`` came later and may be missing."""


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, whose fields have the right types.

    Raises:
        MethodError: it is not there, or not one of this format.
    """
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise MethodError(f"{folder} is not a saved method: it has no {MANIFEST}.") from None
    except (ValueError, RecursionError) as error:
        raise MethodError(f"{file} is not valid JSON: {error}.") from None
    if not isinstance(manifest, dict):
        raise MethodError(f"{file} holds a {type(manifest).__name__}, expected an object.")
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise MethodError(f"{file} has format_version {version!r}, expected {FORMAT_VERSION}.")
    for name, (kind, expected) in _FIELDS.items():
        if name in manifest and not isinstance(manifest[name], kind):
            raise MethodError(f"{file} says {name} is {manifest[name]!r}, expected {expected}.")
        if name not in manifest and name != "model":
            raise MethodError(f"{file} says no {name}, expected {expected}.")
    return manifest
