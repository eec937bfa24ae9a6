"""What belongs to one task inside a live model: the method's parameters and the head's."""

from __future__ import annotations

from torch import Tensor, nn

from methods.anatomy.anatomy import Anatomy
from methods.core.checkpoint import Checkpoint
from methods.core.injection import Injection
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
        self.method = injection.trained
        self.head = head | dict(injection.head.extra)
        self.head_trains = injection.head.trains
        # remove() owes the base model back bit by bit, so what training may overwrite is copied, in
        # host memory: an accelerator's memory is what the comparison measures.
        self._originals: list[tuple[nn.Parameter, Tensor]] = [
            (p, p.detach().to("cpu", copy=True))
            for p in self.every().values()
            if id(p) in before and not p.is_meta
        ]

    def every(self) -> dict[str, nn.Parameter]:
        """What trains, and a head that only begins there."""
        method = {f"method.{name}": p for name, p in self.method.items()}
        return method | {f"head.{name}": p for name, p in self.head.items()}

    def trained(self) -> dict[str, nn.Parameter]:
        """What trains."""
        every = self.every()
        if self.head_trains:
            return every
        return {name: parameter for name, parameter in every.items() if name.startswith("method.")}

    def fits(self, checkpoint: Checkpoint) -> None:
        """Check that a checkpoint's tensors have the names and shapes of these.

        Raises:
            MethodError: one differs.
        """
        own = self.every()
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
        """Copy the tensors of a checkpoint.

        Raises:
            MethodError: they do not fit. Nothing is changed then.
        """
        self.fits(checkpoint)
        for name, parameter in self.every().items():
            parameter.data.copy_(checkpoint.tensors[name])

    def restore(self) -> None:
        """Give the base's own parameters the values that they had before training, bit by bit."""
        for parameter, original in self._originals:
            parameter.data.copy_(original)
