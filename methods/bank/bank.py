"""One frozen base that serves many tasks of one method, several in one batch too."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from methods.anatomy import Anatomy, Model
from methods.bank.calls import Call, Forward, Generate, Names, Save
from methods.bank.held import Held
from methods.bank.rows import Rows
from methods.bank.served import check, kind_of, labels_of
from methods.bank.task import Layout, Task
from methods.core import Adapted, Checkpoint, Method
from methods.core.adapted import MARK
from methods.core.saving import unguard
from methods.errors import MethodError, nearest
from methods.known import KNOWN
from methods.peft.format import read_saved


class Bank:
    """One base and many trained tasks of one method on it, which the rows of a batch may mix.

    The model holds the method once; which task's tensors it computes with is said for every batch::

        bank = methods.Bank(model)
        bank.add("reviews", "results/reviews")         # a folder, a Checkpoint or an Adapted
        bank.add("news", "results/news")               # another rank, length or number of labels, if need be
        logits = model(**batch, task=["reviews", "news", "reviews"]).logits
        with bank.tasks("news"):                       # one name: every row
            model.generate(**batch)

    A batch of one task runs as the adapted model itself does, bit for bit. In one of several each row is
    computed with copies of its own task's tensors, by products of one matrix a row, without a loop over
    tasks; the base is there once. Where heads have different numbers of labels, the logits of a mixed batch
    are as wide as the widest and -inf behind a row's own, so that argmax and softmax are right.

    Calls from several threads take turns.

    Args:
        model: any ``PreTrainedModel``, which holds no method.

    Raises:
        MethodError: it is no such model, or holds a method.
    """

    def __init__(self, model: Model) -> None:
        Anatomy(model)
        if held := getattr(model, MARK, None):
            raise MethodError(
                f"the model already holds {held.method.name!r}: keep it with checkpoint(), call remove() on "
                "it, then add() it here."
            )
        self.model = model
        self._tasks: dict[str, Task] = {}
        self._held: Held | None = None
        self._layouts: dict[Any, Layout] = {}
        self._asked: tuple[str, ...] = ()
        self._alone: Task | None = None
        self._rows: Rows | None = None
        self._idle: dict[str, nn.Parameter] = {}
        self._calls: list[Call] = []
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles have a lock of their own."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    @property
    def method(self) -> Method[Any] | None:
        """The method of all tasks; None while there are none."""
        return None if self._held is None else self._held.method

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks, in the order in which they came."""
        return tuple(self._tasks)

    def bytes(self, name: str) -> int:
        """What a task takes in memory beside the base: its tensors."""
        return self._task(name).bytes

    def options(self, name: str) -> dict[str, Any]:
        """The options that a task was trained with."""
        return self._task(name).options.told()

    def add(self, name: str, task: str | Path | Checkpoint | Adapted) -> None:
        """Take a task in; the others are not touched.

        Args:
            name: that the rows of a batch ask for it by.
            task: a folder as :func:`methods.load` reads, a checkpoint in memory, or a model that holds the
                method. Its tensors are copied.

        Raises:
            MethodError: the name is taken; it is of another method than the tasks that are there, or of one
                that no bank serves; it acts in other places of the model, or does not fit it.
        """
        if not isinstance(name, str) or not name:
            raise MethodError(f"received {name!r:.80} as the name of a task, expected a text.")
        with self._lock:
            if name in self._tasks:
                raise MethodError(
                    f"the bank has a task {name!r} already: remove() it first, or take another name."
                )
            saved = self._read(task)
            kind_of(saved.method)
            if self._held is not None and saved.method != self._held.method.name:
                raise MethodError(
                    f"{saved.origin} holds {saved.method}, the bank {self._held.method.name}: all tasks of a "
                    "bank are of one method, so add it to a bank on a model of its own."
                )
            was_empty = self._held is None
            if was_empty:
                self._begin(saved)
            try:
                self._tasks[name] = self._taken(saved)
            except BaseException:
                if was_empty:
                    self._end()
                raise

    def remove(self, name: str | None = None) -> Model:
        """Take a task out, or all of them; return the model.

        Without tasks it is what it was before the first, bit by bit, and may take another method.

        Raises:
            MethodError: there is no such task, or it is being served.
        """
        with self._lock:
            if name is not None:
                self._task(name)
            if self._asked and (name is None or name in self._asked):
                raise MethodError(f"{name or 'the bank'} is being served: leave tasks() first.")
            if name is None:
                self._tasks.clear()
            else:
                del self._tasks[name]
            if not self._tasks and self._held is not None:
                self._end()
        return self.model

    @contextmanager
    def tasks(self, names: Names) -> Iterator[Model]:
        """Serve these tasks for a while.

        Args:
            names: one for each row of the batches, or a text: one for all.

        Raises:
            MethodError: there is no such task.
        """
        with self._lock:
            asked = (names,) if isinstance(names, str) else tuple(names)
            if not asked:
                raise MethodError("received no names of tasks, expected one for each row of the batch.")
            for name in asked:
                self._task(name)
            before = self._asked, self._each
            self._asked, self._each = asked, not isinstance(names, str)
            self._thread = threading.get_ident()
            try:
                self._serve(1)
                yield self.model
            finally:
                self._asked, self._each = before
                self._serve(1)

    _each = False
    """Whether what is asked for is one task for each row."""
    _thread: int | None = None
    """Who asked: a call of another thread, that names no task, is not served by chance."""

    def reads(self, batch: int | None, labels: bool, writes: bool) -> None:
        """Make ready for a batch of so many rows; the model's forward pass asks for it.

        Args:
            batch: the number of rows; None where it is not known.
            labels: whether a loss is asked for.
            writes: whether it is a pass of ``generate``, in which each row may be repeated.

        Raises:
            MethodError: no tasks were named, or not as many as there are rows; the model is in training mode;
                or its loss is of another number of labels than a task has.
        """
        if not self._asked or self._thread != threading.get_ident():
            raise MethodError(
                f"the model serves {len(self._tasks)} tasks of one base: say whose the rows are, with "
                "task=[...] in the call or inside tasks([...])."
            )
        if self.model.training:
            raise MethodError(
                "a bank serves trained tasks, and the model is in training mode: call eval() first."
            )
        if labels and not all(self._tasks[name].as_many_labels for name in self._asked):
            raise MethodError(
                f"the model computes its loss for {self.model.config.num_labels} labels, and a task of the "
                "batch has another number: leave out labels, and compute the loss from the logits."
            )
        if not self._each or batch is None:
            return
        times, left = divmod(batch, len(self._asked))
        if left or (times != 1 and not writes):
            raise MethodError(
                f"received a batch of {batch} rows and {len(self._asked)} tasks, expected one name for each "
                "row, or one text for all."
            )
        if self._rows is not None and self._rows.count != batch:
            self._serve(times)

    def _task(self, name: str) -> Task:
        found = self._tasks.get(name) if isinstance(name, str) else None
        if found is None:
            raise MethodError(f"the bank has no task {name!r:.80}; {nearest(str(name), self._tasks)}.")
        return found

    def _read(self, task: str | Path | Checkpoint | Adapted) -> Checkpoint:
        if isinstance(task, Checkpoint):
            return task
        if isinstance(task, Adapted):
            kind_of(task.method.name)  # before anything is copied
            return task.checkpoint()
        if not isinstance(task, str | Path):
            raise MethodError(
                f"received {task!r:.80} as a task, expected a folder, a Checkpoint or an Adapted."
            )
        anatomy = Anatomy(self.model) if self._held is None else self._held.adapted.anatomy
        return read_saved(task, anatomy, KNOWN)

    def _begin(self, saved: Checkpoint) -> None:
        """Put the method of a first task into the model."""
        self._held = Held(self.model, saved, KNOWN[saved.method])
        unguard(self.model)
        setattr(self.model, MARK, self)
        self._idle = self._held.own
        forward = Forward(self)
        self._calls = [forward, Save(self)]
        if hasattr(self.model, "generate"):
            self._calls.append(Generate(self, forward))
        for call in self._calls:
            call.put()

    def _end(self) -> None:
        """Give the model back as it was."""
        for call in reversed(self._calls):
            call.take_out()
        if self._held is not None:
            self._held.adapted.remove()
        self._held, self._calls, self._idle = None, [], {}
        self._layouts.clear()

    def _taken(self, saved: Checkpoint) -> Task:
        """A task with its tensors in one piece."""
        held = self._held
        assert held is not None
        options = held.method.options.parse(held.method.name, saved.options)
        own, config = held.own if not self._asked else self._idle, self.model.config
        check(saved, options, held.kind, held.adapted.anatomy, own, held.adapted.options)
        values = {name: saved.tensors[name] for name in own}
        where = {name: (p.device, p.dtype) for name, p in own.items()}
        for unit in held.units:
            for name, tensor in unit.derive(values, options).items():
                values[name], where[name] = tensor, (tensor.device, tensor.dtype)
        return Task(self._layout(values, where), options, values, not labels_of(saved.tensors, own, config))

    def _layout(self, values: Mapping[str, Tensor], where: Mapping[str, Any]) -> Layout:
        shapes = {name: (where[name], value.shape) for name, value in values.items()}
        key = tuple(shapes.items())
        if key not in self._layouts:
            self._layouts[key] = Layout(shapes)
        return self._layouts[key]

    def _follow(self) -> None:
        """Let the tasks be where the model is now, in its dtype."""
        own = self._idle
        for key in set(self._asked):
            task = self._tasks[key]
            first = next(iter(own.values()))
            if (first.device, first.dtype) in task.pieces:
                continue
            moved = {name: tensor.to(own.get(name, first)) for name, tensor in task.tensors().items()}
            where = {name: (tensor.device, tensor.dtype) for name, tensor in moved.items()}
            self._tasks[key] = Task(self._layout(moved, where), task.options, moved, task.as_many_labels)

    def _serve(self, times: int) -> None:
        """Let the model compute with the tensors of the tasks that are asked for.

        Args:
            times: how often each row is repeated.
        """
        held = self._held
        if held is None:
            return
        if self._rows is not None:
            for unit in held.units:
                unit.leave()
            self._rows = None
        elif self._alone is not None:
            held.put(self._idle)
            self._alone = None
        if not self._asked:
            return
        self._idle = held.own
        self._follow()
        tasks = [self._tasks[name] for name in self._asked]
        if len(set(self._asked)) == 1:
            held.put(tasks[0].parameters())
            self._alone = tasks[0]
            for unit in held.units:
                unit.alone(tasks[0].options)
            return
        with torch.no_grad():
            self._rows = Rows([task for task in tasks for _ in range(times)], held.kind, held.flattens)
        for unit in held.units:
            unit.enter(self._rows)
