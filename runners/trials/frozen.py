"""What is frozen in front of all that trains: it computes as in evaluation, where it fits once for each row.

With the head alone trained the whole body is in front, with the top layers trained all blocks below them. No
gradient goes there, and without dropout its outputs depend on the row alone: the states that enter the part
that trains are computed once (:mod:`runners.trials.states`), and stand in for the blocks in every step.
Which blocks these are nobody has to say: autograd tells whose outputs depend on anything that trains. That
nothing else of them is read further on (T5's position biases, skips) is tried out on two rows before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from methods import Adapted
from methods.errors import AnatomyError
from runners.trials import batches
from runners.trials.batches import Batch, Encoded
from runners.trials.standing import instead

TOLERANCE: Final = 1e-5
"""Between logits with and without the stand-ins, relative to the largest."""


@dataclass(frozen=True)
class Front:
    """The leading blocks that nothing which trains has a part in, and what runs before them."""

    blocks: tuple[nn.Module, ...]
    behind: tuple[nn.Module, ...]
    """The other blocks."""
    modules: tuple[nn.Module, ...]
    """All that has done its work when the first of the other blocks begins."""
    token_bytes: int
    """Of the states of one token."""
    outputs: dict[nn.Module, int]
    """The blocks whose states can be replaced, with how long a tuple they return them in; 0 for no tuple."""


class Behind(nn.Module):
    """A model whose front computes as in evaluation also while the rest trains.

    Called with ``states``, (batch x length x width), it takes these for what the front's last block returns;
    else it computes them itself.

    Args:
        model: the model.
        front: its front.
        stands_in: whether states may stand in; else the front runs in its place.
    """

    def __init__(self, model: nn.Module, front: Front, stands_in: bool = True) -> None:
        super().__init__()
        self.model, self.stands_in = model, stands_in
        self._front = (front,)  # in a tuple its modules are not searched for
        self.train(model.training)

    @property
    def front(self) -> Front:
        """What is frozen in front."""
        return self._front[0]

    def train(self, mode: bool = True) -> Behind:
        """Set the mode of what trains; the front stays in evaluation mode."""
        super().train(mode)
        for module in self.front.modules:
            module.training = False
        return self

    def forward(self, states: Tensor | None = None, **batch: Tensor) -> Any:
        """What the model returns."""
        if states is None and not self.training:
            return self.model(**batch)
        if states is None and not self.stands_in:
            return self._in_place(batch)
        if states is None:
            states = self.states_of({name: value for name, value in batch.items() if name != "labels"})
        with instead(self.front.blocks, lambda block, entering: self._returned(block, states)):
            return self.model(**batch)

    def _in_place(self, batch: Batch) -> Any:
        """Train from where the front ends: before that stacks may drop something themselves (BART, T5)."""
        self.eval()
        if self.front.behind:
            hook = self.front.behind[0].register_forward_pre_hook(lambda *call: self._goes_on())
        else:
            hook = self.front.blocks[-1].register_forward_hook(lambda *call: self._goes_on())
        try:
            return self.model(**batch)
        finally:
            hook.remove()
            self.train()

    def _goes_on(self) -> None:
        self.train()

    def states_of(self, batch: Batch) -> Tensor:
        """What the front's last block returns, (batch x length x width), without a gradient."""
        found: list[Tensor] = []
        mode = self.training
        self.eval()
        hook = self.front.blocks[-1].register_forward_hook(lambda *call: found.append(_states(call[-1])))
        try:
            with torch.no_grad(), instead(self.front.behind, self._returned):
                self.model(**batch)
        finally:
            hook.remove()
            self.train(mode)
        return found[-1]

    def _returned(self, block: nn.Module, states: Tensor) -> Any:
        length = self.front.outputs[block]
        return (states, *[None] * (length - 1)) if length else states


def as_trained(adapted: Adapted, split: Encoded, model_name: str) -> nn.Module:
    """The model as it trains: with its front in evaluation mode, or itself where nothing is frozen in front.

    Args:
        adapted: the model, on its device.
        split: what it trains on; a pass of two rows of it is followed.
        model_name: of its tokenizer.
    """
    try:
        adapted.anatomy.blocks  # noqa: B018
    except AnatomyError:  # what cannot be told trains as a whole
        return adapted.model
    order = batches.longest_first(split)
    probe = batches.Collator(batches.tokenizer(model_name))(
        [split[row] for row in {order[0]: 0, order[-1]: 0}]
    )
    probe.pop("labels")
    return behind(adapted, {name: value.to(adapted.model.device) for name, value in probe.items()})


def behind(adapted: Adapted, probe: Batch) -> nn.Module:
    """The same, by a pass of these rows without labels (batch x length), which are of different lengths."""
    adapted.model.eval()
    front, logits = _front(adapted, probe)
    if front is None:
        return adapted.model
    made = Behind(adapted.model, front, stands_in=False)
    replaceable = {*front.blocks, *front.behind} <= front.outputs.keys()
    if replaceable and len(adapted.anatomy.stacks) == 1 and not _drops_layers(adapted.model):
        made.stands_in = _agrees(made, probe, logits)
    return made


def _agrees(made: Behind, probe: Batch, logits: Tensor) -> bool:
    """Whether the model answers the same with states in the place of the front, padded with zeros."""
    states = made.states_of(probe)
    if states.shape[:2] != probe["input_ids"].shape:
        return False
    states = states.masked_fill(probe["attention_mask"].eq(0).unsqueeze(-1), 0)
    with torch.no_grad():
        found = made(states, **probe).logits
    if found.ndim == 3:  # of every token, where padding is of no interest
        real = probe["attention_mask"].bool()
        found, logits = found[real], logits[real]
    return bool((found - logits).abs().max() <= TOLERANCE * logits.abs().max())


def _drops_layers(model: nn.Module) -> bool:
    """Whether whole blocks are left out at random while it trains (OPT, BART)."""
    return any(getattr(module, "layerdrop", 0) for module in model.modules())


def _front(adapted: Adapted, probe: Batch) -> tuple[Front | None, Tensor]:
    """Follow a pass, and find the first block whose output depends on something that trains."""
    model, blocks = adapted.model, [site.module for site in adapted.anatomy.blocks]
    calls: list[tuple[nn.Module, int, bool]] = []  # with what had been done when they began
    done: list[nn.Module] = []
    begun: dict[nn.Module, int] = {}
    outputs: dict[nn.Module, int] = {}
    sizes: dict[nn.Module, int] = {}

    def begins(block: nn.Module, args: Any) -> None:
        begun[block] = len(done)

    def ends(module: nn.Module, args: Any, output: Any) -> None:
        done.append(module)
        if module in begun:
            tensors = [output] if isinstance(output, Tensor) else [t for t in output if isinstance(t, Tensor)]
            calls.append((module, begun[module], any(t.requires_grad for t in tensors)))
            states = _states(output)
            if isinstance(states, Tensor):
                outputs[module] = len(output) if isinstance(output, tuple) else 0
                sizes[module] = states.shape[-1] * states.itemsize

    hooks = [block.register_forward_pre_hook(begins) for block in blocks]
    hooks += [module.register_forward_hook(ends) for module in model.modules()]
    try:
        with torch.enable_grad():
            logits = model(**probe).logits.detach()
    finally:
        for hook in hooks:
            hook.remove()
    frozen = next((n for n, (_, _, trains) in enumerate(calls) if trains), len(calls))
    leading = dict.fromkeys(block for block, _, _ in calls[:frozen])
    rest = dict.fromkeys(block for block, _, _ in calls[frozen:])
    if not leading or leading.keys() & rest.keys():  # a block that runs again (ALBERT) is whole or not at all
        return None, logits
    end = calls[frozen][1] if rest else 1 + max(n for n, module in enumerate(done) if module in leading)
    later = set(done[end:])
    modules = {m for module in done[:end] for m in module.modules()} - later
    front = tuple(leading)
    own = tuple(module for module in model.modules() if module in modules)
    return Front(front, tuple(rest), own, sizes.get(front[-1], 0), outputs), logits


def _states(output: Any) -> Any:
    """The states among what a block returns."""
    return output[0] if isinstance(output, tuple) else output
