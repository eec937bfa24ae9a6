"""A method's parameters on a model: in closed form where the model's sizes are known, else on the model.

The closed form answers only for what it was compared with: a method that this very model takes with its
default options, and other options that the sizes allow. Anything else is put into the model itself, which
says what is wrong where something is, and whose sizes are kept for the next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import methods
from methods import Method, MethodError
from methods.anatomy import Geometry
from methods.core import Options
from runners import shapes
from runners.shapes import Shapes

if TYPE_CHECKING:
    from methods import Adapted


@dataclass(frozen=True)
class Count:
    """The parameters of a method on a model."""

    base: int
    """Scalars that are pretrained."""
    method: int
    """Scalars that the method trains."""
    head: int
    """Scalars that train of the task head."""
    parts: dict[str, int]
    """Those of the method, by part."""
    stored: int
    """Scalars that a checkpoint keeps, a head that trains as itself apart."""


def count(model: str, method: str, options: dict[str, Any], labels: int) -> tuple[Options, Count]:
    """The options with their defaults, and what they come to.

    Args:
        model: as for :func:`runners.models.skeleton`.
        method: its name.
        options: those that are not the default.
        labels: outputs of the task head.

    Raises:
        ModelError: the configuration cannot be read.
        MethodError: unknown method or option, or the model has no place for it.
    """
    which = methods.get(method)
    chosen = which.options.parse(method, options)
    seen = shapes.known(model, labels)
    if seen is not None and method in seen.takes and (found := closed_form(which, chosen, seen.geometry)):
        return chosen, found
    return chosen, _on_the_model(model, which, chosen, labels, seen)


def closed_form(method: Method[Any], options: Options, geometry: Geometry) -> Count | None:
    """The count from sizes alone; None where these cannot carry the options, for the model to say why."""
    try:
        if not method.fits(geometry, options):
            return None
        parts = method.count(geometry, options)
        head, stored = method.count_head(geometry, options), method.count_stored(geometry, options)
    except MethodError:
        return None
    total = sum(parts.values())
    if parts and not total:  # nothing of the kind is in these blocks
        return None
    return Count(geometry.base, total, head, parts, stored)


def _on_the_model(
    name: str, method: Method[Any], options: Options, labels: int, seen: Shapes | None
) -> Count:
    """The count on the model without weights; its sizes are kept."""
    from methods import Adapted
    from runners import models

    skeleton = models.skeleton(name, labels)
    adapted = Adapted(skeleton, method, options)
    found = _of(adapted)
    try:
        geometry = adapted.sizes.geometry
        default = method.options()
        if options != default:
            adapted.remove()
            adapted = Adapted(skeleton, method, default)
    except MethodError:  # what it takes with these options alone is asked again the next time
        return found
    if closed_form(method, default, geometry) == _of(adapted):
        same = seen.takes if seen is not None and seen.geometry == geometry else frozenset()
        shapes.keep(name, labels, Shapes(geometry, same | {method.name}))
    return found


def _of(adapted: Adapted) -> Count:
    counts = adapted.parameter_counts()
    of_all = (counts["base"], counts["method"], counts["head"])
    return Count(*of_all, adapted.parts(), adapted.stored_count())
