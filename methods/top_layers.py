"""Top layers: the last blocks train, all else is frozen.

    h_l = f(h_(l-1); theta_l)        theta_l trains in the last n blocks, two by default

The LoRA paper's FT-Top2 (arXiv 2106.09685, table 3) is the last two blocks; normalisation layers behind
them, poolers and heads' own layers are not part of it. In an encoder-decoder the last blocks are the
decoder's. Learning rate: that of full fine-tuning. Searched: what full fine-tuning searches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from methods.anatomy import Geometry
from methods.core import BLOCK_WEIGHTS, Card, LogUniform, Method, Options, SearchSpace, Work, at
from methods.errors import OptionError

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


class TopLayersOptions(Options):
    """Options of ``top_layers``."""

    layers: int = Field(2, ge=1, description="number of blocks that train, counted from the top")


def work(geometry: Geometry, options: TopLayersOptions) -> Work:
    """The last blocks train, and need a backward pass."""
    return Work(blocks=options.layers)


class TopLayers(Method[TopLayersOptions]):
    """Train the last blocks."""

    name = "top_layers"
    options = TopLayersOptions
    served_instead = "lora with layers=last:2"
    card = Card(
        summary="Only the last blocks train: full fine-tuning's cheap cousin.",
        source="arXiv 2106.09685, table 3 (FT-Top2)",
        places=at("trains in the last blocks", *BLOCK_WEIGHTS),
        learning_rate=5e-5,
        search_space=SearchSpace(LogUniform(1e-5, 5e-4)),
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: TopLayersOptions) -> Injection:
        """Own the parameters of the last blocks.

        Raises:
            OptionError: the model has fewer blocks.
        """
        from methods.anatomy.quantised import as_numbers
        from methods.core import Injection

        blocks = anatomy.blocks
        if options.layers > len(blocks):
            raise OptionError(
                f"top_layers: layers={options.layers} is not valid: {anatomy} has {len(blocks)} blocks."
            )
        top = blocks[-options.layers :]
        trained = {f"{b.path}.{n}": p for b in top for n, p in b.module.named_parameters()}
        return Injection(options, anatomy.trainable(as_numbers(self.name, anatomy, trained)))

    def count(self, geometry: Geometry, options: TopLayersOptions) -> dict[str, int]:
        """The size of the last blocks."""
        return {"blocks": sum(geometry.blocks[-options.layers :])}

    def fits(self, geometry: Geometry, options: TopLayersOptions) -> bool:
        """Whether there are as many blocks."""
        return options.layers <= geometry.layers
