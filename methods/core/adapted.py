"""A model with a method in it: counting, merging, removing, saving and loading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from methods.anatomy import Anatomy, Model, fresh, mark_fresh
from methods.core.change import Change, all_or_nothing
from methods.core.checkpoint import Checkpoint
from methods.core.counted import Counted
from methods.core.difference import merge_difference
from methods.core.disabling import disabled
from methods.core.exchange import write_to
from methods.core.method import Method
from methods.core.options import Options
from methods.core.places import GradFlags, Place, located
from methods.core.precision import training_in
from methods.core.reading import read_from
from methods.core.recomputed import let_gradients_in
from methods.core.repacking import as_loaded
from methods.core.saving import guard, unguard
from methods.core.sharding import refuse_sharded, written
from methods.core.sizes import Sizes
from methods.core.task_parameters import Before, TaskParameters
from methods.core.widened import Widened
from methods.errors import MergeError, MethodError

MARK = "_paretune_method"
"""The attribute of a model that holds its :class:`Adapted`."""


class Adapted(Counted):
    """A model and the method that adapts it.

    The model is changed in place and is still called like the Hugging Face model it is. The body is
    frozen except for what the method trains; the task head always trains. Made by
    :func:`methods.apply` and :func:`methods.load`.

    Args:
        model: any ``PreTrainedModel``; its head, if any, is what lies outside ``model.base_model``.
        method: one of the registered methods.
        options: that method's validated options.
        dtype: of the method's own tensors; None for that of the layers they serve, and at least float32.
        fresh_without: what of the body is fresh once it is removed; None for what is now.

    Raises:
        AnatomyError: the model has no such place as the method needs. The model is left as it was.
        MethodError: the model already holds a method, or is sharded over processes.
    """

    def __init__(
        self,
        model: Model,
        method: Method[Any],
        options: Options,
        dtype: torch.dtype | None = None,
        fresh_without: frozenset[str] | None = None,
    ) -> None:
        anatomy = Anatomy(model)
        if held := getattr(model, MARK, None):
            raise MethodError(f"the model already holds {held.method.name!r}: call remove() on it first.")
        self.model, self.method = model, method
        self.anatomy = anatomy
        self.dtype = dtype
        self.merged = self._removed = self._disabled = self._inserted = False
        self._base_count = anatomy.base_count
        self._fresh_without = fresh(model) if fresh_without is None else fresh_without
        self.sizes = Sizes(anatomy)  # read before the method changes the modules
        self._flags = GradFlags(model)
        refuse_sharded(model, "apply() or load() a method first, then fully_shard() the model")
        self._inject(options)
        setattr(model, MARK, self)
        if self.changes_the_forward_pass:
            guard(self)

    def _inject(self, options: Options) -> None:
        """Put the method into the model; on an error the model is as it was."""
        model, own_head = self.model, self.anatomy.head_parameters()
        before = {id(p) for p in model.parameters()}
        model.requires_grad_(False)
        try:
            with all_or_nothing(), training_in(self.dtype):
                injection = self.method.inject(self.anatomy, options)
                injection.changes += as_loaded(model)
                injection.places = located(injection.trained, model)
                task = TaskParameters(self.anatomy, injection, own_head, before)
        except BaseException:
            self._flags.give_back()
            raise
        self._injection, self._task, self.options, self._inserted = injection, task, options, True
        for parameter in self._task.trained().values():
            parameter.requires_grad_(True)
        self._handles = let_gradients_in(model, injection.live.values())

    def _eject(self) -> None:
        """Take the method out again, bit by bit."""
        self._inserted = False
        for handle in self._handles:
            handle.remove()
        self._injection.undo()
        self._task.restore()
        self._flags.give_back()

    def in_float32(self) -> None:
        """Let what trains, and the head, be in float32 at least: the base's own parameters too.

        A method's own tensors are already. In bfloat16 most updates would round to nothing. All parameters
        of a normalisation are of one dtype, so the others follow; without the method all are as they were.
        """
        own = {id(p) for p in self.of_the_task().values()}
        beside: list[nn.Parameter] = []
        for module in self.model.modules():
            held = list(module.parameters(recurse=False))
            vectors = all(p.ndim == 1 for p in held) and any(id(p) in own for p in held)
            for parameter in held:
                if not parameter.is_floating_point() or parameter.itemsize >= torch.float32.itemsize:
                    continue
                if id(parameter) in own:
                    parameter.data = parameter.data.float()
                elif vectors:
                    beside.append(parameter)
        if beside:
            self._injection.changes.append(Widened(beside))

    def rates(self) -> dict[str, float]:
        """Learning rates relative to the run's, by the names of :meth:`trained`; the rest has that."""
        return dict(self._task.rates)

    def of_the_task(self) -> dict[str, nn.Parameter]:
        """What a checkpoint overwrites in the model: what trains, and a head that only begins there."""
        return self._task.every()

    @property
    def stored_options(self) -> Options:
        """The options that rebuild what a checkpoint keeps: other ones where only training needs a part."""
        options, _ = self.method.stored(self._injection)
        return options

    @property
    def settled_options(self) -> Options:
        """The options that rebuild it as it trains, with what was settled when it was put in."""
        return self._injection.options

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the method changed in the model, in order."""
        return tuple(self._injection.changes)

    @property
    def originals(self) -> list[tuple[Place, Tensor]]:
        """Of the base's own parameters that belong to the task: where each lies, and its value before."""
        return list(self._task.originals)

    def merge(self) -> None:
        """Write the method into the base weights; the merged model has the base's own modules.

        The product is computed in at least float32 and rounded once to what the weight is stored as, in few
        bits where it is quantised. The original weights are kept, so that :meth:`unmerge` is exact.

        Raises:
            MergeError: the method cannot be merged, or already is. Whatever fails leaves the model unmerged.
            MethodError: the model is sharded over processes.
        """
        self._whole()
        if not self.method.mergeable:
            raise MergeError(f"{self.method.name} cannot be merged into the base weights.")
        if self.merged:
            raise MergeError("the model is already merged.")
        self._injection.fold()
        self.merged = True

    @property
    def kept_bytes(self) -> int:
        """Bytes of the base's own tensors that are kept beside the merged ones; 0 while nothing is merged."""
        return sum(one.own.nbytes for one in self._injection.kept)

    def unmerge(self) -> None:
        """Undo :meth:`merge`, bit by bit.

        Raises:
            MergeError: the model is not merged.
            MethodError: the model is sharded over processes.
        """
        self._whole()
        if not self.merged:
            raise MergeError("the model is not merged.")
        self._injection.unfold()
        self.merged = False

    def merge_difference(self, **inputs: Any) -> float:
        """Largest absolute difference between a logit of the unmerged model and of the merged one.

        Merging rounds W0 + B A once to the weights' dtype: to 8 significant bits in bfloat16, where an
        update may be smaller than half a step of the weight it is added to, and to fewer where they are
        quantised. So it is measured, in evaluation mode; afterwards the model is merged, or not, as it was.

        Args:
            inputs: one batch, as the model is called with.

        Raises:
            MergeError: the method cannot be merged.
            MethodError: the model has no head, and so no logits.
        """
        if not (self.anatomy.is_language_model or self.head):
            raise MethodError(f"{self.anatomy} has no head, and so no logits to compare.")
        return merge_difference(self, inputs)

    @contextmanager
    def disabled(self) -> Iterator[Model]:
        """Let the model be the base for a while, bit by bit and head included: as a reference model.

        Raises:
            MethodError: the model is sharded over processes; or, inside, something is asked of the method.
        """
        self._whole()
        if merged := self.merged:
            self.unmerge()
        self._disabled = True
        try:
            with disabled(self._injection, self._task):
                yield self.model
        finally:
            self._disabled = False
            if merged:
                self.merge()

    def remove(self) -> Model:
        """Take the method out and return the model as it was before, bit by bit, head included.

        Raises:
            MethodError: the model is sharded over processes.
        """
        self._whole()
        if self.merged:
            self.unmerge()
        self._eject()
        unguard(self.model)
        delattr(self.model, MARK)
        mark_fresh(self.model, self._fresh_without)
        self._removed = True
        return self.model

    def checkpoint(self) -> Checkpoint:
        """Copy the method and the head, not the base, as they are now; the same merged or not.

        Of a model that is sharded over processes every one calls this, and each gets the whole tensors.
        """
        self._alive()
        return self._task.checkpoint(self.method)

    def save(self, path: str | Path) -> Path:
        """Write the method and the head, not the base, to a folder; return it.

        Of a model that is sharded over processes every one calls this, and the first of them writes.
        """
        checkpoint = self.checkpoint()
        return written(self.model, path, lambda: checkpoint.write(path))

    def export_peft(self, path: str | Path) -> Path:
        """Write a folder that the PEFT library loads, for the same logits, merged or not; return it.

        Raises:
            MethodError: peft has no equal of the method, or computes another function on this model, or the
                model is sharded over processes.
        """
        self._whole()
        return write_to(self.method.card.form, self.checkpoint(), self.anatomy, path)

    def take(self, checkpoint: Checkpoint) -> None:
        """Copy the tensors of a checkpoint into this model.

        Raises:
            MethodError: they do not fit. Nothing is changed then.
        """
        self._alive()
        self._task.take(checkpoint)

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
        new = other
        if not isinstance(new, Checkpoint):
            new = read_from(self.method.card.form, self.method.name, new, self.anatomy)
        if new.method != self.method.name:
            raise MethodError(
                f"{new.origin} holds {new.method}, the model {self.method.name}: switch() exchanges trained "
                "weights of one method; remove() this one and load() that."
            )
        options = self.method.options.parse(new.method, new.options)
        if options == self.options and not self.merged:
            self.take(new)
            return
        self._whole()
        if merged := self.merged:
            self.unmerge()
        before = Before(self._injection, self.options, self._task)
        try:
            self._exchange(options, new)
            if merged:
                self.merge()
        except BaseException:
            self._go_back(before)
            if merged:
                self.merge()
            raise

    def _exchange(self, options: Options, new: Checkpoint) -> None:
        """Hold another checkpoint, unmerged."""
        if options != self.options:
            self._eject()
            self._inject(options)
        self.take(new)

    def _go_back(self, before: Before) -> None:
        """Hold what was there before an exchange that failed: the same parameters with the same values."""
        if self._injection is not before.injection or not self._inserted:
            if self._inserted:
                self._eject()
            self._inject(before.injection.options)
            self.options = before.options
        before.restore(self._task)

    def _whole(self) -> None:
        self._alive()
        refuse_sharded(self.model, "save() the method, and load() it into one that is whole for that")

    def _alive(self) -> None:
        if self._removed:
            raise MethodError(f"{self.method.name} has been removed from the model: apply it again.")
        if self._disabled:
            raise MethodError(f"{self.method.name} is disabled: leave disabled() first.")
