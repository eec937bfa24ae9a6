"""SAID: training in a random subspace, with a trained scale for every layer.

Paper: arXiv 2012.13255, section 3; code that follows it: rabeehk/compacter@e123daa,
seq2seq/projections/intrinsic.py.

    theta_i = theta0_i + lambda_i (P z)_i        z: (d - m), from zero; lambda: (m), from one

i is a layer. The m scales are part of the d dimensions. The paper says layers and not which: here they are
the transformer blocks, where layers share weights (ALBERT) once, and everything outside the blocks
together: embeddings, last normalisation, pooler, and the head where it lies inside. (compacter has a scale
for every tensor.) Everything else, the learning rate too, is as in ``did``.
"""

from __future__ import annotations

from methods import subspace
from methods.anatomy import Anatomy
from methods.errors import OptionError
from methods.flops import Work
from methods.geometry import Geometry
from methods.space import LogUniform, SearchSpace
from methods.spec import WEIGHTS, Injection, Method, at
from methods.subspace import SubspaceOptions, scales_of


class SaidOptions(SubspaceOptions):
    """Options of ``said``."""


class SAID(Method[SaidOptions]):
    """Train coordinates of a random subspace of all parameters, and a scale for each layer."""

    name = "said"
    summary = "All weights move, in a random subspace of few dimensions scaled layer by layer; merges away."
    source = "arXiv 2012.13255; rabeehk/compacter@e123daa"
    places = at("moves in a random subspace", *WEIGHTS)
    options = SaidOptions
    mergeable = True
    learning_rate = 0.3
    search_space = SearchSpace(LogUniform(3e-2, 3.0))

    def inject(self, anatomy: Anatomy, options: SaidOptions) -> Injection:
        """Move every parameter by lambda_i P z.

        Raises:
            OptionError: the scales alone are as many as the dimension.
        """
        scales = scales_of(len(anatomy.blocks))
        if options.dimension <= scales:
            raise OptionError(
                f"said: dimension={options.dimension} is not valid: {scales} of it are the scales of the "
                f"layers of {anatomy}, expected at least {scales + 1}."
            )
        return subspace.inject(anatomy, options, scaled=True)

    def count(self, geometry: Geometry, options: SaidOptions) -> dict[str, int]:
        """d, of which one for each block and one for the rest are scales."""
        scales = scales_of(geometry.layers)
        return {"coordinates": options.dimension - scales, "scales": scales}

    def work(self, geometry: Geometry, options: SaidOptions) -> Work:
        """The projection, and everything of the base trains."""
        return subspace.work(geometry, options, scales_of(geometry.layers))

    def stored_count(self, geometry: Geometry, options: SaidOptions) -> int:
        """d, and where the head lies inside what it began with."""
        return subspace.stored_count(geometry, options)
