"""A named place in a model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from methods.anatomy.features import Rows
from methods.anatomy.geometry import Shape
from methods.anatomy.layers import Linear, WrappedLinear, is_linear, sizes
from methods.errors import AnatomyError


@dataclass(frozen=True)
class Site:
    """A named place that holds a module, or some output features of one."""

    parent: nn.Module
    name: str
    path: str
    """Dotted path from the body: the stable name of the place."""
    rows: Rows | None = None
    """The output features that play the role; None where all of them do."""

    @property
    def module(self) -> nn.Module:
        """The module that is there now."""
        return self.parent.get_submodule(self.name)

    def put(self, module: nn.Module) -> None:
        """Put another module there."""
        setattr(self.parent, self.name, module)

    def like(self) -> Tensor:
        """A parameter of the module, or of the one that it is a child of: what is put there lies beside it.

        Raises:
            AnatomyError: neither has any.
        """
        for module in (self.module, self.parent):
            for parameter in module.parameters():
                return parameter
        raise AnatomyError(f"{self.path} has no parameters.")

    def linear(self) -> Linear:
        """The module, which must be a linear layer, or the one inside what a method put around it.

        Raises:
            AnatomyError: it is something else, or stores its weight in a way that is not known here.
        """
        module = self.module
        module = module.base if isinstance(module, WrappedLinear) else module
        if not is_linear(module):
            kind, weight = type(module).__name__, getattr(module, "weight", None)
            if isinstance(module, nn.Linear) and isinstance(weight, Tensor):
                raise AnatomyError(
                    f"{self.path} is a {kind} whose weight is stored as {str(weight.dtype).split('.')[-1]}, "
                    "expected floating point of 16 bits or more, or a layer of bitsandbytes or torchao."
                )
            raise AnatomyError(f"{self.path} is a {kind}, expected a torch.nn.Linear.")
        return module  # type: ignore[return-value]

    def shape(self) -> Shape:
        """(out, in) of the role's weight."""
        out_features, in_features = sizes(self.linear())
        if isinstance(self.rows, slice):
            return self.rows.stop - self.rows.start, in_features
        return out_features if self.rows is None else len(self.rows), in_features
