"""What every method is: the interface, the model that holds it, what is kept; may import `anatomy`."""

from typing import TYPE_CHECKING

from methods.core.bottleneck_sizes import bottleneck_chain, bottleneck_size
from methods.core.capability import ACTS, Capability
from methods.core.card import BLOCK_WEIGHTS, PLACES, WEIGHTS, Card, at
from methods.core.checkpoint import Checkpoint
from methods.core.exchange import Form, write_to
from methods.core.flops import Chain, Flops, Work, closed_form
from methods.core.method import Method
from methods.core.options import LATER, BlockOptions, Layers, NoOptions, Options, Targets
from methods.core.search_space import LEARNING_RATE, Choice, Dimension, LogUniform, SearchSpace
from methods.core.served import BOTTLENECK, LOW_RANK, Served
from methods.later import later

if TYPE_CHECKING:
    from methods.core.adapted import Adapted
    from methods.core.bottleneck import Bottleneck
    from methods.core.change import (
        Attach,
        Change,
        Foldable,
        Follow,
        Following,
        Hook,
        Instead,
        Shared,
        Swap,
        Wrap,
    )
    from methods.core.fitted import fitting
    from methods.core.holding import held_by
    from methods.core.injection import Injection, TaskHead
    from methods.core.targets import by_module, part_path
    from methods.core.trying import capabilities
    from methods.core.updated import Update, UpdatedLinear
else:
    __getattr__, __dir__ = later(
        __name__,
        {
            "methods.core.adapted": ("Adapted",),
            "methods.core.bottleneck": ("Bottleneck",),
            "methods.core.change": (
                *("Attach", "Change", "Foldable", "Follow", "Following"),
                *("Hook", "Instead", "Shared", "Swap", "Wrap"),
            ),
            "methods.core.fitted": ("fitting",),
            "methods.core.holding": ("held_by",),
            "methods.core.injection": ("Injection", "TaskHead"),
            "methods.core.targets": ("by_module", "part_path"),
            "methods.core.trying": ("capabilities",),
            "methods.core.updated": ("Update", "UpdatedLinear"),
        },
    )

__all__ = ["BLOCK_WEIGHTS", "LATER", "LEARNING_RATE", "PLACES", "WEIGHTS", "Adapted", "Attach"]
__all__ += ["BlockOptions", "Bottleneck", "Hook", "Instead", "Layers", "Update", "UpdatedLinear"]
__all__ += ["Card", "Chain", "Change", "Checkpoint", "Choice", "Dimension", "Flops", "Foldable", "Follow"]
__all__ += ["Following", "Form", "Injection", "LogUniform", "Method", "NoOptions", "Options"]
__all__ += ["SearchSpace", "Shared", "Swap", "Targets", "TaskHead", "Work", "Wrap", "at", "bottleneck_chain"]
__all__ += [
    "ACTS",
    "Capability",
    "bottleneck_size",
    "by_module",
    "capabilities",
    "closed_form",
    "fitting",
    "held_by",
    "part_path",
    "write_to",
]
__all__ += ["BOTTLENECK", "LOW_RANK", "Served"]
