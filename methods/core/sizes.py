"""What is known of a base's sizes before a method changes its modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.geometry import Geometry
from methods.anatomy.measured import geometry_of
from methods.anatomy.wired import wiring_of
from methods.anatomy.wiring import Wiring
from methods.errors import AnatomyError

_Found = TypeVar("_Found")


class Sizes:
    """The geometry and the wiring of a model, read once; what cannot be told is an error for who asks.

    Args:
        anatomy: a model that holds no method.
    """

    def __init__(self, anatomy: Anatomy) -> None:
        self._geometry = _known(geometry_of, anatomy)
        self._wiring = _known(wiring_of, anatomy, self._geometry)

    @property
    def geometry(self) -> Geometry:
        """The sizes.

        Raises:
            AnatomyError: they cannot be told.
        """
        return _told(self._geometry)

    @property
    def wiring(self) -> Wiring:
        """How a pass runs through it.

        Raises:
            AnatomyError: it cannot be told.
        """
        return _told(self._wiring)


def _known(find: Callable[..., _Found], *arguments: Any) -> _Found | AnatomyError:
    """What can be found of a model, or why it cannot."""
    for argument in arguments:
        if isinstance(argument, AnatomyError):
            return argument
    try:
        return find(*arguments)
    except AnatomyError as error:
        return error


def _told(found: _Found | AnatomyError) -> _Found:
    if isinstance(found, AnatomyError):
        raise AnatomyError(str(found))
    return found
