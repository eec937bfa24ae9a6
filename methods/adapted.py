"""A model with a method in it: counting, merging, removing, saving and loading."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from methods.anatomy import Anatomy, AnatomyError, Model
from methods.errors import MergeError, MethodError
from methods.spec import Injection, Method, Options

FORMAT_VERSION = 1
MANIFEST = "paretune.json"
TENSORS = "paretune.safetensors"

_MARK = "_paretune_method"


class Adapted:
    """A model and the method that adapts it.

    The model is changed in place and is still called like the Hugging Face model it is. The body is
    frozen except for what the method trains; the task head always trains. Made by
    :func:`methods.apply` and :func:`methods.load`.

    Args:
        model: any ``PreTrainedModel``; its head, if any, is what lies outside ``model.base_model``.
        method: one of the registered methods.
        options: that method's validated options.

    Raises:
        AnatomyError: the model has no such place as the method needs. The model is left as it was.
        MethodError: the model already holds a method.
    """

    def __init__(self, model: Model, method: Method[Any], options: Options) -> None:
        anatomy = Anatomy(model)
        if held := getattr(model, _MARK, None):
            raise MethodError(f"the model already holds the method {held!r}: call remove() on it first.")
        self.model = model
        self.method = method
        self.options = options
        self.anatomy = anatomy
        self.merged = False
        self._kept: list[tuple[nn.Parameter, Tensor]] = []
        self._removed = False
        self._base_count = sum(p.numel() for p in anatomy.body_parameters().values())
        with contextlib.suppress(AnatomyError):
            _ = anatomy.geometry  # read before the method changes the modules
        own_head = anatomy.head_parameters()
        before = {id(p): p for p in model.parameters()}
        self._required_grad = [(p, p.requires_grad) for p in before.values()]

        model.requires_grad_(False)
        try:
            self._injection: Injection = method.inject(anatomy, options)
        except BaseException:
            self._restore_grad_flags()
            raise
        self.head: dict[str, nn.Parameter] = own_head | self._injection.extra_head
        for parameter in self.trained().values():
            parameter.requires_grad_(True)
        # remove() owes the base model back bit by bit, so what training may overwrite is copied, in
        # host memory: an accelerator's memory is what the comparison measures.
        self._originals: list[tuple[nn.Parameter, Tensor]] = [
            (p, p.detach().to("cpu", copy=True))
            for p in self.trained().values()
            if id(p) in before and not p.is_meta
        ]
        setattr(model, _MARK, method.name)

    def trained(self) -> dict[str, nn.Parameter]:
        """Every parameter that trains, by its name in a checkpoint: ``method.*``, then ``head.*``."""
        method = {f"method.{name}": p for name, p in self._injection.trained.items()}
        return method | {f"head.{name}": p for name, p in self.head.items()}

    def parameter_counts(self) -> dict[str, int]:
        """Count scalars on the live model.

        Returns:
            ``base`` (what is pretrained: the body, with a language model's head), ``method`` (trained by
            it), ``head`` (the task head), ``trainable`` (method + head).
        """
        self._alive()
        method = sum(p.numel() for p in self._injection.trained.values())
        head = sum(p.numel() for p in self.head.values())
        return {"base": self._base_count, "method": method, "head": head, "trainable": method + head}

    def parts(self) -> dict[str, int]:
        """The method's parameters by part, from the closed form.

        Methods that need no place inside the blocks also work on architectures whose geometry is not
        known: there it is the counted total.
        """
        try:
            return self.method.count(self.anatomy.geometry, self.options)
        except AnatomyError:
            return {"counted": self.parameter_counts()["method"]}

    def stored_count(self) -> int:
        """Scalars that a checkpoint of the method keeps, the head apart."""
        _, tensors = self.method.stored(self._injection, self.options)
        return sum(tensor.numel() for tensor in tensors.values())

    @property
    def max_input_length(self) -> int | None:
        """User's tokens that fit beside what the method takes; None where nothing limits them."""
        limit = self.anatomy.max_positions
        return None if limit is None else limit - self._injection.reserved_positions

    def merge(self) -> None:
        """Write the method into the base weights; the merged model has the base's own modules.

        The product is computed in at least float32 and rounded once to the weight's dtype. The original
        weights are kept, so that :meth:`unmerge` is exact.

        Raises:
            MergeError: the method cannot be merged, or already is.
        """
        self._alive()
        if not self.method.mergeable:
            raise MergeError(f"{self.method.name} cannot be merged into the base weights.")
        if self.merged:
            raise MergeError("the model is already merged.")
        self._kept = []
        for site, wrapper in self._injection.foldable:
            for name, value in wrapper.folded().items():
                parameter = wrapper.base.get_parameter(name)
                self._kept.append((parameter, parameter.data))
                parameter.data = value.to(parameter.dtype)
            site.put(wrapper.base)
        self.merged = True

    def unmerge(self) -> None:
        """Undo :meth:`merge`, bit by bit.

        Raises:
            MergeError: the model is not merged.
        """
        self._alive()
        if not self.merged:
            raise MergeError("the model is not merged.")
        for parameter, value in self._kept:
            parameter.data = value
        for site, wrapper in self._injection.foldable:
            site.put(wrapper)  # type: ignore[arg-type]
        self._kept = []
        self.merged = False

    def remove(self) -> Model:
        """Take the method out and return the model as it was before, bit by bit, head included."""
        self._alive()
        if self.merged:
            self.unmerge()
        for undo in reversed(self._injection.undo):
            undo.undo()
        for swap in reversed(self._injection.swaps):
            swap.undo()
        for parameter, original in self._originals:
            parameter.data.copy_(original)
        self._restore_grad_flags()
        delattr(self.model, _MARK)
        self._removed = True
        return self.model

    def save(self, path: str | Path) -> Path:
        """Write the method and the head, not the base, to a folder; return it.

        Two files: a JSON manifest and the tensors as safetensors. Works merged or not.
        """
        self._alive()
        options, method = self.method.stored(self._injection, self.options)
        tensors = {f"method.{name}": tensor for name, tensor in method.items()}
        tensors |= {f"head.{name}": parameter.detach() for name, parameter in self.head.items()}
        manifest = {
            "format_version": FORMAT_VERSION,
            "method": self.method.name,
            "options": options.model_dump(mode="json"),
            "architecture": self.anatomy.config.model_type,
        }
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        return folder

    def read_tensors(self, folder: Path) -> None:
        """Copy the tensors of a saved folder into this model; raises :class:`MethodError` on a mismatch."""
        try:
            tensors = load_file(folder / TENSORS)
        except (OSError, SafetensorError) as error:
            raise MethodError(f"cannot read {folder / TENSORS}: {error}.") from None
        own = self.trained()
        if missing := sorted(own.keys() ^ tensors.keys()):
            raise MethodError(
                f"the checkpoint {folder} does not fit {self.anatomy}: {missing[0]} is on one side only."
            )
        for name, parameter in own.items():
            if parameter.shape != tensors[name].shape:
                raise MethodError(
                    f"the checkpoint {folder} does not fit {self.anatomy}: {name} is "
                    f"{tuple(tensors[name].shape)}, expected {tuple(parameter.shape)}."
                )
            parameter.data.copy_(tensors[name])

    def _restore_grad_flags(self) -> None:
        for parameter, required in self._required_grad:
            parameter.requires_grad_(required)

    def _alive(self) -> None:
        if self._removed:
            raise MethodError(f"{self.method.name} has been removed from the model: apply it again.")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder that :meth:`Adapted.save` wrote.

    Raises:
        MethodError: there is none, it is not JSON, or its format is unknown.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except OSError:
        raise MethodError(f"{folder} is not a saved method: it has no {MANIFEST}.") from None
    except json.JSONDecodeError as error:
        raise MethodError(f"{path} is not valid JSON: {error}.") from None
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if version != FORMAT_VERSION:
        raise MethodError(f"{path} has format_version {version!r}, expected {FORMAT_VERSION}.")
    return manifest
