"""A model with a method in it: counting, merging, removing, saving and loading."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from methods import peft_format
from methods.anatomy import Anatomy, Model
from methods.checkpoint import MANIFEST, Checkpoint
from methods.errors import AnatomyError, MergeError, MethodError
from methods.flops import Flops, closed_form
from methods.spec import Injection, Method, Options

_MARK = "_paretune_method"


def read(path: str | Path, anatomy: Anatomy) -> Checkpoint:
    """Read a saved method, of ours or the PEFT library's, for a model.

    Raises:
        MethodError: the folder is not one, or holds what Paretune does not have.
    """
    if peft_format.holds(path) and not (Path(path) / MANIFEST).is_file():
        return peft_format.read(path, anatomy)
    return Checkpoint.read(path)


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
        self.anatomy = anatomy
        self.merged = False
        self._kept: list[tuple[nn.Parameter, Tensor]] = []
        self._removed = False
        self._base_count = sum(p.numel() for p in anatomy.body_parameters().values())
        with contextlib.suppress(AnatomyError):
            _ = anatomy.geometry, anatomy.flow  # read before the method changes the modules
        self._required_grad = [(p, p.requires_grad) for p in model.parameters()]
        self._injection: Injection
        self._inject(options)
        setattr(model, _MARK, method.name)

    def _inject(self, options: Options) -> None:
        """Put the method into the model; on an error the model is as it was."""
        model = self.model
        own_head = self.anatomy.head_parameters()
        before = {id(p) for p in model.parameters()}
        model.requires_grad_(False)
        try:
            self._injection = self.method.inject(self.anatomy, options)
        except BaseException:
            self._restore_grad_flags()
            raise
        self.options = options
        self.head: dict[str, nn.Parameter] = own_head | self._injection.extra_head
        for parameter in self.trained().values():
            parameter.requires_grad_(True)
        # remove() owes the base model back bit by bit, so what training may overwrite is copied, in
        # host memory: an accelerator's memory is what the comparison measures.
        self._originals: list[tuple[nn.Parameter, Tensor]] = [
            (p, p.detach().to("cpu", copy=True))
            for p in self.of_the_task().values()
            if id(p) in before and not p.is_meta
        ]

    def _eject(self) -> None:
        """Take the method out again, bit by bit."""
        for undo in reversed(self._injection.undo):
            undo.undo()
        for swap in reversed(self._injection.swaps):
            swap.undo()
        for parameter, original in self._originals:
            parameter.data.copy_(original)
        self._restore_grad_flags()

    def trained(self) -> dict[str, nn.Parameter]:
        """Every parameter that trains, by its name in a checkpoint: ``method.*``, then ``head.*``."""
        every = self.of_the_task()
        if self._injection.head_trains:
            return every
        return {name: parameter for name, parameter in every.items() if name.startswith("method.")}

    def of_the_task(self) -> dict[str, nn.Parameter]:
        """What a checkpoint overwrites in the live model: what trains, and a head that only begins there."""
        method = {f"method.{name}": p for name, p in self._injection.trained.items()}
        return method | {f"head.{name}": p for name, p in self.head.items()}

    def parameter_counts(self) -> dict[str, int]:
        """Count scalars on the live model.

        Returns:
            ``base`` (what is pretrained: the body, with a language model's head), ``method`` (trained by
            it), ``head`` (what trains of the task head), ``trainable`` (method + head).
        """
        self._alive()
        method = sum(p.numel() for p in self._injection.trained.values())
        head = sum(p.numel() for n, p in self.trained().items() if n.startswith("head."))
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
        """Scalars that a checkpoint of the method keeps; a head that trains as itself apart."""
        _, tensors = self.method.stored(self._injection, self.options)
        start = [] if self._injection.head_trains else list(self.head.values())
        return sum(tensor.numel() for tensor in (*tensors.values(), *start))

    def flops(self, batch: int, length: int) -> Flops:
        """FLOPs of a forward pass and a training step of ``batch`` x ``length`` tokens, in closed form.

        Raises:
            AnatomyError: nothing is known that tells them from the sizes.
        """
        geometry = self.anatomy.geometry
        work = self.method.work(geometry, self.options)
        return closed_form(geometry, self.anatomy.flow, work, batch, length)

    @property
    def changes_the_forward_pass(self) -> bool:
        """Whether the model computes anything that the base does not."""
        return bool(self._injection.swaps or self._injection.undo)

    @property
    def stored_options(self) -> Options:
        """The options that rebuild what a checkpoint keeps: other ones where only training needs a part."""
        options, _ = self.method.stored(self._injection, self.options)
        return options

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
        if (moving := self._injection.moving) is not None:
            folded = moving.folded()
            moving.detach()
            for parameter, value in folded:
                self._kept.append((parameter, parameter.data))
                parameter.data = value
        self.merged = True

    @property
    def kept_bytes(self) -> int:
        """Bytes of the base's own tensors that are kept beside the merged ones; 0 while nothing is merged."""
        return sum(value.numel() * value.element_size() for _, value in self._kept)

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
            wrapper.train(wrapper.base.training)  # it was out of the model when train() or eval() was called
            site.put(wrapper)  # type: ignore[arg-type]
        if self._injection.moving is not None:
            self._injection.moving.attach()
        self._kept = []
        self.merged = False

    def merge_difference(self, **inputs: Any) -> float:
        """Largest absolute difference between a logit of the unmerged model and of the merged one.

        Merging rounds W0 + B A once to the weights' dtype: to 8 significant bits in bfloat16, where an
        update may be smaller than half a step of the weight it is added to. What that does to the logits
        depends on the weights and on the inputs, so it is measured. Both are computed in evaluation mode;
        afterwards the model is merged, or not, as it was.

        Args:
            inputs: one batch, as the model is called with.

        Raises:
            MergeError: the method cannot be merged.
            MethodError: the model has no head, and so no logits.
        """
        if not (self.anatomy.is_language_model or self.head):
            raise MethodError(f"{self.anatomy} has no head, and so no logits to compare.")
        merged = self.merged
        if merged:
            self.unmerge()
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with torch.no_grad():
                before = self.model(**inputs).logits
                self.merge()
                after = self.model(**inputs).logits
        finally:
            if self.merged != merged:
                self.merge() if merged else self.unmerge()
            for module, training in modes:
                module.training = training
        return float((after.double() - before.double()).abs().max())

    def remove(self) -> Model:
        """Take the method out and return the model as it was before, bit by bit, head included."""
        self._alive()
        if self.merged:
            self.unmerge()
        self._eject()
        delattr(self.model, _MARK)
        self._removed = True
        return self.model

    def checkpoint(self) -> Checkpoint:
        """Copy the method and the head, not the base, as they are now; the same merged or not."""
        self._alive()
        options, method = self.method.stored(self._injection, self.options)
        tensors = {f"method.{name}": tensor for name, tensor in method.items()}
        own = {id(parameter): value for parameter, value in self._kept}  # of a head that was merged as well
        tensors |= {f"head.{name}": own.get(id(p), p) for name, p in self.head.items()}
        config = self.anatomy.config
        model = {"name": config._name_or_path or None, "class": type(self.model).__name__}
        return Checkpoint(
            self.method.name,
            options.model_dump(mode="json"),
            config.model_type,
            {name: tensor.detach().clone() for name, tensor in tensors.items()},
            model=model | {"num_labels": config.num_labels},
        )

    def save(self, path: str | Path) -> Path:
        """Write the method and the head, not the base, to a folder; return it."""
        return self.checkpoint().write(path)

    def export_peft(self, path: str | Path) -> Path:
        """Write a folder that the PEFT library loads, for the same logits, merged or not; return it.

        Raises:
            MethodError: peft has no equal of the method, or computes another function on this model.
        """
        return peft_format.write(self.checkpoint(), self.anatomy, path)

    def fits(self, checkpoint: Checkpoint) -> None:
        """Check that a checkpoint's tensors have the names and shapes of this model's.

        Raises:
            MethodError: one differs.
        """
        own = self.of_the_task()
        if missing := sorted(own.keys() ^ checkpoint.tensors.keys()):
            raise MethodError(
                f"{checkpoint.origin} does not fit {self.anatomy}: {missing[0]} is on one side only."
            )
        for name, parameter in own.items():
            if parameter.shape != checkpoint.tensors[name].shape:
                raise MethodError(
                    f"{checkpoint.origin} does not fit {self.anatomy}: {name} is "
                    f"{tuple(checkpoint.tensors[name].shape)}, expected {tuple(parameter.shape)}."
                )

    def take(self, checkpoint: Checkpoint) -> None:
        """Copy the tensors of a checkpoint into this model.

        Raises:
            MethodError: they do not fit. Nothing is changed then.
        """
        self.fits(checkpoint)
        for name, parameter in self.of_the_task().items():
            parameter.data.copy_(checkpoint.tensors[name])

    def switch(self, other: Checkpoint | str | Path) -> None:
        """Serve another task: one base in memory, many trained methods (arXiv 2106.09685, section 4.2).

        Merged stays merged. The paper subtracts B A and adds B' A', and in floating point every such cycle
        leaves a little behind; here the base's own matrices are kept beside the merged ones, and W0 + B' A'
        is computed from them. So any number of switches leads back to the base bit by bit, for one copy
        of the targeted matrices while merged.

        Args:
            other: a checkpoint of the same method, in memory or its folder, or a folder that peft saved. Its
                options may differ.

        Raises:
            MethodError: it is of another method, or does not fit. The model is then as it was.
        """
        self._alive()
        new = other if isinstance(other, Checkpoint) else read(other, self.anatomy)
        if new.method != self.method.name:
            raise MethodError(
                f"{new.origin} holds {new.method}, the model {self.method.name}: switch() exchanges trained "
                "weights of one method; remove() this one and load() that."
            )
        options = self.method.options.parse(new.method, new.options)
        merged = self.merged
        if merged:
            self.unmerge()
        try:
            if options == self.options:
                self.take(new)
            else:
                self._rebuild(options, new)
        finally:
            if merged:
                self.merge()

    def _rebuild(self, options: Options, new: Checkpoint) -> None:
        """Inject again with other options; on an error the model is as it was."""
        now, injected = self.checkpoint(), False
        self._eject()
        try:
            self._inject(options)
            injected = True
            self.take(new)
        except MethodError:
            if injected:
                self._eject()
            self._inject(self.method.options.parse(now.method, now.options))
            self.take(now)
            raise

    def _restore_grad_flags(self) -> None:
        for parameter, required in self._required_grad:
            parameter.requires_grad_(required)

    def _alive(self) -> None:
        if self._removed:
            raise MethodError(f"{self.method.name} has been removed from the model: apply it again.")
