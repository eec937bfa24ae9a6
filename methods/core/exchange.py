"""How a method's checkpoints look in another library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from methods.errors import MethodError

if TYPE_CHECKING:
    from methods.anatomy.anatomy import Anatomy
    from methods.core.checkpoint import Checkpoint


class Form(ABC):
    """One method's folders in another library's words."""

    @abstractmethod
    def write(self, saved: Checkpoint, anatomy: Anatomy, path: str | Path) -> Path:
        """Write a checkpoint as a folder that the library loads; return the folder, which is made if need be.

        Args:
            saved: what is written.
            anatomy: the model it fits, with a method in it or without.
            path: the folder.

        Raises:
            MethodError: the library computes another function on this model.
        """

    @abstractmethod
    def holds(self, path: str | Path) -> bool:
        """Whether a folder is one of the library's."""

    @abstractmethod
    def read(self, method: str, path: str | Path, anatomy: Anatomy) -> Checkpoint:
        """Read a folder that the library saved.

        Args:
            method: what the method is called here.
            path: the folder.
            anatomy: the model that it is for: it says what roles the adapted layers play, and keeps the parts
                of its head that the folder does not hold.

        Raises:
            MethodError: it cannot be read, or holds something that the method does not have.
        """


def write_to(form: Form | None, saved: Checkpoint, anatomy: Anatomy, path: str | Path) -> Path:
    """Write a checkpoint as a folder of the library's whose form it is given; return the folder.

    Raises:
        MethodError: peft has no equal of the method, or computes another function on this model.
    """
    if form is None:
        raise MethodError(
            f"peft has no equal of {saved.method}: `paretune methods` says of which methods it has one."
        )
    return form.write(saved, anatomy, path)
