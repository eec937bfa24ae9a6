"""Where things are in a transformer and how large they are, found by role; may import no other room."""

from typing import TYPE_CHECKING

from methods.anatomy.geometry import Geometry, Shape
from methods.anatomy.wiring import Wiring
from methods.later import later

if TYPE_CHECKING:
    from methods.anatomy.anatomy import Anatomy, Stack
    from methods.anatomy.drawn import fresh, mark_fresh
    from methods.anatomy.features import Features, Rows
    from methods.anatomy.layers import Linear, WrappedLinear, frozen, oriented, sizes, to_fold
    from methods.anatomy.measured import geometry_of
    from methods.anatomy.parameters import Model
    from methods.anatomy.positions import (
        cached_length,
        causal_positions,
        explicit_positions,
        max_positions,
        numbers_positions,
        packed,
        replaces_tokens,
    )
    from methods.anatomy.site import Site
    from methods.anatomy.wired import wiring_of
else:
    __getattr__, __dir__ = later(
        __name__,
        {
            "methods.anatomy.anatomy": ("Anatomy", "Stack"),
            "methods.anatomy.drawn": ("fresh", "mark_fresh"),
            "methods.anatomy.features": ("Features", "Rows"),
            "methods.anatomy.layers": (
                *("Linear", "WrappedLinear", "frozen", "oriented", "sizes", "to_fold"),
            ),
            "methods.anatomy.measured": ("geometry_of",),
            "methods.anatomy.parameters": ("Model",),
            "methods.anatomy.positions": (
                *("cached_length", "causal_positions", "explicit_positions", "max_positions"),
                *("numbers_positions", "packed", "replaces_tokens"),
            ),
            "methods.anatomy.site": ("Site",),
            "methods.anatomy.wired": ("wiring_of",),
        },
    )

__all__ = ["Anatomy", "Features", "Geometry", "Linear", "Model", "Rows", "Shape", "Site", "Stack", "Wiring"]
__all__ += ["WrappedLinear", "cached_length", "causal_positions", "explicit_positions", "fresh"]
__all__ += ["frozen", "geometry_of", "mark_fresh", "max_positions", "numbers_positions", "oriented"]
__all__ += ["packed", "replaces_tokens", "sizes", "to_fold", "wiring_of"]
