"""The one interface that every tuning method implements.

A :class:`Method` says how a frozen transformer is adapted: which modules change, what is trained, how many
scalars that is in closed form, what is kept. It knows nothing about tasks, training loops or measurement;
what is said of it stands on its :class:`Card`. Methods are final: the interface is abstract, and no method
subclasses another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from methods.anatomy.geometry import Geometry
from methods.core.card import Card
from methods.core.options import Options
from methods.core.served import Served

if TYPE_CHECKING:
    from torch import Tensor

    from methods.anatomy.anatomy import Anatomy
    from methods.core.injection import Injection

OptionsT = TypeVar("OptionsT", bound=Options)


class Method(ABC, Generic[OptionsT]):
    """How a frozen model is adapted. One instance per method, without state."""

    name: ClassVar[str]
    """The name in studies, on the command line and in records."""
    card: ClassVar[Card]
    """What is said of it."""
    options: ClassVar[type[Options]]
    """The options it takes, with their defaults."""
    mergeable: ClassVar[bool] = False
    """Whether :meth:`Adapted.merge` can write it into the base weights: all its changes are foldable."""

    served: ClassVar[Served | None] = None
    """What may differ between tasks of it that share a batch of ``methods.Bank``; None: no bank serves it."""
    served_instead: ClassVar[str] = "lora"
    """What is nearest to it among what a bank serves, where it is not served."""

    @abstractmethod
    def inject(self, anatomy: Anatomy, options: OptionsT) -> Injection:
        """Change the model in place. The body is already frozen when this is called.

        Raises:
            AnatomyError: the model has no such place as the method needs.
        """

    @abstractmethod
    def count(self, geometry: Geometry, options: OptionsT) -> dict[str, int]:
        """Closed-form number of trained scalars, split into named parts; the head is not in it."""

    def count_head(self, geometry: Geometry, options: OptionsT) -> int:
        """Closed-form number of scalars that train of the task head, and of the base beside it."""
        return geometry.head

    def count_stored(self, geometry: Geometry, options: OptionsT) -> int:
        """Closed-form number of scalars that a checkpoint keeps; a head that trains as itself apart."""
        return sum(self.count(geometry, options).values())

    def fits(self, geometry: Geometry, options: OptionsT) -> bool:
        """Whether a model of these sizes takes these options, if it takes the default ones.

        Not asked is what :meth:`count` raises for: blocks and layers that are not there.
        """
        return True

    def stored(self, injection: Injection) -> tuple[Options, dict[str, Tensor]]:
        """Return what a checkpoint keeps: options that rebuild it, and tensors by name.

        The default keeps everything that was trained.
        """
        return injection.options, {name: parameter.detach() for name, parameter in injection.live.items()}
