"""A random subspace of all parameters, which ``did`` and ``said`` train in.

    theta = theta0 + lambda_i P z        z: (d), from zero; P: (D x d), fixed, from the seed

One projection makes the change of all parameters at once, in the alphabetical order of their names: the
body's, then the task head's where that lies inside. z and lambda are all that trains; a checkpoint keeps
them, the seed, and where the head lies inside the values that the head began with.
"""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, nn

from methods.anatomy import Anatomy
from methods.anatomy.quantised import as_numbers
from methods.core import Injection, TaskHead
from methods.core.places import Place, every_place
from methods.core.precision import beside
from methods.errors import AnatomyError
from methods.subspace.moved import Mover, Moving
from methods.subspace.projection import project
from methods.subspace.sizes import SubspaceOptions, scales_of

SUBSPACE = "subspace"
"""Name of the submodule of the body that holds z, lambda and the projection."""


class Subspace(Mover):
    """theta0 + lambda_i P z for every parameter.

    Args:
        places: see :class:`Mover`.
        projection: P.
        dimension: entries of z.
        layers: for every parameter the layer it belongs to; None without lambda.
        like: a tensor beside which z and lambda lie, see ``precision.py``.
    """

    def __init__(
        self,
        places: list[list[Place]],
        projection: nn.Module,
        dimension: int,
        layers: list[int] | None,
        like: Tensor,
    ) -> None:
        super().__init__(places)
        self.layers = layers
        self.sizes = tuple(parameter.numel() for parameter in self.bases)
        self.projection = projection
        place = beside(like)
        self.coordinates = nn.Parameter(torch.zeros(dimension, **place))
        self.scales: nn.Parameter | None = None
        if layers is not None:
            self.scales = nn.Parameter(torch.ones(max(layers) + 1, **place))

    def forward(self) -> list[Tensor]:
        """The moved parameters; computed in at least float32 and rounded once."""
        z = self.coordinates
        parts = self.projection(z.to(torch.promote_types(z.dtype, torch.float32)), self.sizes)
        scales = None if self.scales is None else self.scales.unbind()
        moved = []
        for index, (base, part) in enumerate(zip(self.bases, parts, strict=True)):
            change = part if scales is None or self.layers is None else part * scales[self.layers[index]]
            moved.append((base + change.view_as(base)).to(base.dtype))
        return moved


def inject(anatomy: Anatomy, options: SubspaceOptions, method: str, *, scaled: bool) -> Injection:
    """Move every parameter of a model in a random subspace.

    Args:
        anatomy: the model.
        options: of the method.
        method: its name, for an error.
        scaled: with one trained scale for each block and one for all that is outside the blocks.

    Raises:
        AnatomyError: the blocks are not known, and it takes them to be scaled.
        OptionError: the dimension is too large.
    """
    body = as_numbers(method, anatomy, anatomy.body_parameters())
    head = anatomy.head_parameters()
    inside = options.head == "inside"
    parameters = [body[name] for name in sorted(body)]
    parameters += [head[name] for name in sorted(head)] if inside else []
    layer_of: dict[int, int] = {}
    if scaled:
        for number, block in enumerate(anatomy.blocks, start=1):
            layer_of |= dict.fromkeys(map(id, block.module.parameters()), number)
    layers = [layer_of.get(id(parameter), 0) for parameter in parameters] if scaled else None
    scales = scales_of(len(anatomy.blocks)) if scaled else 0
    seed = torch.initial_seed() % 2**63 if options.seed is None else options.seed
    size, like = sum(parameter.numel() for parameter in parameters), parameters[0]
    projection = project(options.projection, size, options.dimension - scales, seed, like)
    places = every_place(anatomy.model.modules())
    order = [places[id(parameter)] for parameter in parameters]
    subspace = Subspace(order, projection, options.dimension - scales, layers, like)
    trained = {"coordinates": subspace.coordinates}
    if subspace.scales is not None:
        trained["scales"] = subspace.scales
    return Injection(
        options.model_copy(update={"seed": seed}),
        trained,
        [Moving(anatomy.body, SUBSPACE, subspace, roots_of(anatomy))],
        TaskHead(trains=not inside),
    )


def roots_of(anatomy: Anatomy) -> list[nn.Module]:
    """What a pass begins with: the model, its body, or a stack (``generate`` calls an encoder alone)."""
    roots: list[nn.Module] = [anatomy.model, anatomy.body]
    with contextlib.suppress(AnatomyError):  # a model without known blocks is entered from outside alone
        roots += [stack.root for stack in anatomy.stacks]
    return list(dict.fromkeys(roots))
