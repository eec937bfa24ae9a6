"""What belongs to one task inside a live model: the method's parameters and the head's."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from methods.anatomy.anatomy import Anatomy
from methods.core.checkpoint import Checkpoint
from methods.core.injection import Injection
from methods.core.method import Method
from methods.core.options import Options
from methods.core.places import Place, at, located
from methods.core.sharding import gathered, overwrite, shaped
from methods.errors import MethodError


class TaskParameters:
    """The parameters that a checkpoint overwrites, by their names in it: ``method.*``, then ``head.*``.

    Args:
        anatomy: the model.
        injection: the method in it.
        head: the model's own task head.
        before: ids of the parameters that were there before the method.
    """

    def __init__(
        self, anatomy: Anatomy, injection: Injection, head: dict[str, nn.Parameter], before: set[int]
    ) -> None:
        self.anatomy = anatomy
        self._injection = injection
        self._model_class = type(anatomy.model).__name__  # sharding makes another one
        self.places = {f"method.{name}": place for name, place in injection.places.items()}
        own = located(head | dict(injection.head.extra), anatomy.model)
        self.places |= {f"head.{name}": place for name, place in own.items()}
        self.head_trains = injection.head.trains
        self.rates = {f"method.{name}": rate for name, rate in injection.rates.items() if rate != 1}
        # remove() owes the base model back bit by bit, so what training may overwrite is copied, in
        # host memory: an accelerator's memory is what the comparison measures.
        self.originals: list[tuple[Place, Tensor]] = [
            (place, place.parameter.detach().to("cpu", copy=True))
            for place in self.places.values()
            if id(place.parameter) in before and not place.parameter.is_meta
        ]

    @property
    def head(self) -> dict[str, nn.Parameter]:
        """The parameters of the task head by their own names, and those of the base that count with it."""
        return {n.removeprefix("head."): p for n, p in self.every().items() if n.startswith("head.")}

    def every(self) -> dict[str, nn.Parameter]:
        """What trains, and a head that only begins there."""
        return at(self.places)

    def trained(self) -> dict[str, nn.Parameter]:
        """What trains."""
        every = self.every()
        if self.head_trains:
            return every
        return {name: parameter for name, parameter in every.items() if name.startswith("method.")}

    def stored(self, method: Method[Any]) -> list[Tensor]:
        """What a checkpoint keeps beside a head that trains as itself; to be counted."""
        with shaped(self.anatomy.model, self._injection.places.values()):
            _, tensors = method.stored(self._injection)
        return [*tensors.values(), *([] if self.head_trains else self.head.values())]

    def checkpoint(self, method: Method[Any]) -> Checkpoint:
        """Copy what is there; see :meth:`Adapted.checkpoint`."""
        with gathered(self.anatomy.model, self.places.values()):
            options, stored = method.stored(self._injection)
            head = self.head
        # Of a head that was merged as well, what it is without.
        own = {id(one.places[0].parameter): one.own for one in self._injection.kept}
        tensors = {f"method.{name}": tensor for name, tensor in stored.items()}
        tensors |= {f"head.{name}": own.get(id(p), p) for name, p in head.items()}
        config = self.anatomy.config
        model = {"name": config._name_or_path or None, "class": self._model_class}
        return Checkpoint(
            method.name,
            options.told(),
            config.model_type,
            {name: tensor.detach().clone() for name, tensor in tensors.items()},
            model=model | {"num_labels": config.num_labels},
        )

    def fits(self, checkpoint: Checkpoint) -> None:
        """Check that a checkpoint's tensors have the names and shapes of these, and are real numbers.

        Raises:
            MethodError: one differs.
        """
        if checkpoint.architecture != self.anatomy.config.model_type:
            raise MethodError(
                f"{checkpoint.origin} was trained on {checkpoint.architecture}, and {self.anatomy} is "
                "another architecture: load it into a model of its own."
            )
        own, there = self.every(), checkpoint.tensors
        wrong = next((f"{name} is on one side only" for name in sorted(own.keys() ^ there.keys())), None)
        for name, parameter in own.items():
            if wrong is None and parameter.shape != there[name].shape:
                wrong = f"{name} is {tuple(there[name].shape)}, expected {tuple(parameter.shape)}"
            if wrong is None and not there[name].is_floating_point():
                wrong = f"{name} is {there[name].dtype}, expected {parameter.dtype}"
        if wrong is not None:
            about = self._trained_on_another(checkpoint)
            raise MethodError(f"{checkpoint.origin} does not fit {self.anatomy}: {wrong}{about}.")

    def _trained_on_another(self, checkpoint: Checkpoint) -> str:
        """What a checkpoint says of its model, where this one is of another class or has other labels."""
        said = checkpoint.model
        kind, labels = self._model_class, self.anatomy.config.num_labels
        if said.get("class", kind) == kind and said.get("num_labels", labels) == labels:
            return ""
        return f" (it was trained on {said.get('class', kind)} with {said.get('num_labels', labels)} labels)"

    def take(self, checkpoint: Checkpoint) -> None:
        """Copy the tensors of a checkpoint.

        Raises:
            MethodError: they do not fit. Nothing is changed then.
        """
        self.fits(checkpoint)
        overwrite(self.anatomy.model, [(place, checkpoint.tensors[n]) for n, place in self.places.items()])

    def restore(self) -> None:
        """Give the base's own parameters the values that they had before training, bit by bit.

        In the dtype of then: where they were widened to train, what is beside them no longer is.
        """
        for place, original in self.originals:
            own = place.parameter
            if own.dtype == original.dtype:
                own.data.copy_(original)
            else:
                own.data = original.to(own.device)


class Before:
    """What a model holds before an exchange that may fail: also what a checkpoint does not keep.

    Args:
        injection: the method in it.
        options: those that it was asked for.
        task: its parameters.
    """

    def __init__(self, injection: Injection, options: Options, task: TaskParameters) -> None:
        self.injection, self.options = injection, options
        self._parameters = task.every()
        self._values = {name: p.detach().clone() for name, p in self._parameters.items()}

    def restore(self, task: TaskParameters) -> None:
        """Put the very same parameters, with their values, where a method of the same options is now.

        An optimiser goes on training them.
        """
        for name, place in task.places.items():
            parameter = self._parameters[name]
            place.put(parameter)
            parameter.data.copy_(self._values[name])
