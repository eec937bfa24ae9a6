"""What a model does, tried out: whether it looks ahead, how it numbers tokens, where its blocks end.

Names do not say it, and so they are not asked. A question is put to a small copy (``small.py``), or where
none can be made to the model itself; where that has no weights either, there is no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from methods.anatomy.layers import is_norm
from methods.anatomy.layout import Positions
from methods.anatomy.small import copy_of, has_values, sample, takes, with_values

TOLERANCE = 1e-3
"""Of a hidden state, next to the largest: far above what rounding does to it, far below any change."""

ROUNDING = 1e-4
"""Of what changes at a token itself: less than that, elsewhere, is no answer to it."""


def trial(model: PreTrainedModel) -> PreTrainedModel | None:
    """A body on which something can be tried out; None where there is none."""
    body = model.base_model
    if not isinstance(body, PreTrainedModel):
        return None
    return copy_of(body) or (body if has_values(body) else None)


@with_values
def is_causal(model: PreTrainedModel) -> bool | None:
    """Whether a token is kept from what stands behind it; None where that cannot be tried out.

    The first hidden state of an input is compared with that of one that differs in its last token. The model
    itself is asked first: its modules may have been told to look ahead.
    """
    for body in _itself_and_copy(model.base_model):
        inputs = sample(body)
        if inputs is None or "input_ids" not in inputs:
            continue
        ids = inputs["input_ids"]
        other = ids.clone()
        other[:, -1] = ids[:, -2]
        with _quietly(body):
            first, second = (_states(body, {**inputs, "input_ids": each}) for each in (ids, other))
        if first is None or second is None or torch.equal(first, second):
            continue
        if torch.equal(first[:, 0], second[:, 0]):
            return True
        if first.dtype.itemsize >= 4:  # experts round by what they are given beside a token
            at_first, at_last = ((first - second)[:, at].abs().max() for at in (0, -1))
            return bool(at_first < ROUNDING * at_last)
    return None


def _itself_and_copy(body: nn.Module) -> Iterator[PreTrainedModel]:
    if isinstance(body, PreTrainedModel):
        if has_values(body):
            yield body
        copied = copy_of(body)
        if copied is not None:
            yield copied


@with_values
def numbering(model: PreTrainedModel) -> Positions | None:
    """How positions are numbered when none are given, see ``Layout.positions``; None where that is not known.

    An input padded on the left is compared with itself under each numbering, passed explicitly. It is tried
    out on the CPU alone: a number that is too large ends an accelerator's process.
    """
    body = trial(model)
    if body is None or next(body.parameters()).device.type != "cpu":
        return None
    inputs = sample(body)
    if inputs is None or "input_ids" not in inputs or "position_ids" not in takes(body):
        return "none"
    ids = inputs["input_ids"].clone()
    table = position_table(body)
    padding = None if table is None else table.padding_idx
    pad = padding if padding is not None else getattr(body.config, "pad_token_id", None)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    if pad is not None:
        ids[0, :2] = pad
    candidates: dict[Positions, Tensor] = {
        "sequence": torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    }
    if padding is not None:
        real = ids.ne(padding).int()
        candidates["tokens"] = (real.cumsum(1) * real).long() + padding
    candidates["mask"] = mask.cumsum(1) * mask - 1
    batch = {"input_ids": ids, "attention_mask": mask}
    with _quietly(body):
        own = _states(body, batch)
        for name, places in candidates.items():
            found = _states(body, {**batch, "position_ids": places})
            if own is not None and found is not None and _same(own[mask.bool()], found[mask.bool()]):
                return name
    return None


@with_values
def reads_ids(model: PreTrainedModel, root: str, embedding: str) -> str | None:
    """What keeps a model from being handed embeddings in place of its tokens; None where nothing does.

    Args:
        model: any.
        root: path in the body of the module that runs the first stack.
        embedding: path in the body of the token embedding.
    """
    body = trial(model)
    inputs = None if body is None else sample(body)
    if body is None or inputs is None or "input_ids" not in inputs:
        return "what it does with embeddings in place of tokens cannot be tried out"
    stack, table = body.get_submodule(root), body.get_submodule(embedding)
    with _quietly(body):
        ids = inputs["input_ids"]
        with torch.no_grad():
            embeds = table(ids)
        own, found = (_states(stack, each) for each in ({"input_ids": ids}, {"inputs_embeds": embeds}))
    if own is None or found is None:
        return "it takes no embeddings in place of tokens"
    return None if _same(own, found) else "it reads the tokens' ids beside their embeddings"


@dataclass(frozen=True)
class Ends:
    """Where the sub-layers of a block end, by their paths in it; see ``Layout``."""

    attention_output: str | None
    feed_forward_output: str | None
    block_norm: str | None
    parallel: bool = False
    bare: bool = False


@with_values
def ends_of(model: PreTrainedModel, blocks: str, output: str | None, down: str | None) -> Ends | None:
    """Try out where the sub-layers of a block end; None where it cannot be tried out.

    Something is added to what a module returns. Where that adds the same to what a later module reads, or to
    what the block returns, and either is more than what the module returned, its output has been added to the
    residual: a sub-layer ends there. A block ends with a norm if it returns what a norm does.

    Args:
        model: any.
        blocks: path of its list of blocks in the body.
        output: path in a block of the attention's last linear layer, None where it is not known.
        down: the same of the feed-forward's.
    """
    body = trial(model)
    inputs = None if body is None else sample(body)
    if body is None or inputs is None:
        return None
    try:
        return _ends(body, inputs, blocks, output, down)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # a block of a shape that is not foreseen here
        return None


def _ends(
    body: PreTrainedModel, inputs: dict[str, Tensor], blocks: str, output: str | None, down: str | None
) -> Ends | None:
    with _quietly(body):
        children = list(body.get_submodule(blocks).children())
        first, last = children[0], children[-1]
        places = {path for path in (output, down) if path is not None}
        # The first may lack a norm (ModernBERT), the last may have experts where the first has none.
        block = last if places <= {name for name, _ in last.named_modules()} else first
        calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        handle = block.register_forward_pre_hook(
            lambda _, args, kwargs: calls.append((args, kwargs)), with_kwargs=True
        )
        try:
            ran = _states(body, inputs)
        finally:
            handle.remove()
        return None if ran is None or not calls else _Block(block, *calls[0]).ends(output, down)


class _Block:
    """A block, one call of it, and what its modules read and return in it."""

    def __init__(self, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.block, self.args, self.kwargs = block, args, kwargs
        self.returned, self.read = self.run()
        times: dict[str, int] = {}
        for name, _ in self.returned:
            times[name] = times.get(name, 0) + 1
        self.once = {name for name, number in times.items() if number == 1}
        self.out = dict(self.returned)

    def run(
        self, at: str | None = None, add: Tensor | None = None
    ) -> tuple[list[tuple[str, Tensor]], dict[str, Tensor]]:
        """Call it; return what modules return in the order of their ends, and what they read first.

        Everything is (tokens x width). Under the empty name is what the block returns. ``add`` is added to
        what the module ``at`` returns.
        """
        returned: list[tuple[str, Tensor]] = []
        read: dict[str, Tensor] = {}
        handles = []

        def before(name: str) -> Callable[..., None]:
            def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                first = args[0] if args else kwargs.get("hidden_states")
                if isinstance(first, Tensor):
                    read.setdefault(name, _rows(first))

            return hook

        def after(name: str) -> Callable[..., Any]:
            def hook(_: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
                if name == at and add is not None:
                    output = output + add.view_as(output)
                if isinstance(output, Tensor):
                    returned.append((name, _rows(output)))
                return output

            return hook

        for name, module in self.block.named_modules():
            if name:
                handles.append(module.register_forward_pre_hook(before(name), with_kwargs=True))
                handles.append(module.register_forward_hook(after(name)))
        try:
            with torch.no_grad():
                output = self.block(*self.args, **self.kwargs)
        finally:
            for handle in handles:
                handle.remove()
        read[""] = _rows(output[0] if isinstance(output, tuple) else output)
        return returned, read

    def ends(self, output: str | None, down: str | None) -> Ends:
        whole = self.read[""]
        norms = [n for n, m in self.block.named_modules() if is_norm(m) and n in self.once and n in self.read]
        last = [n for n in norms if _same(self.out[n], whole)]
        attention = self.end(output)
        parallel = attention is not None and down in self.once and not self.moves(attention, str(down))
        entering = self.args[0] if self.args else self.kwargs.get("hidden_states")
        first = isinstance(entering, Tensor) and any(_same(self.read[n], _rows(entering)) for n in norms)
        end = last[-1] if last else None
        return Ends(attention, self.end(down), end, parallel, bare=not first and end is None)

    def end(self, layer: str | None) -> str | None:
        """The last module from a linear layer on whose output is what is added to the residual."""
        names = [name for name, _ in self.returned]
        if layer is None or layer not in self.once:
            return None
        found = None
        for name in names[names.index(layer) :]:
            leaf = name in self.once and not any(True for _ in self.block.get_submodule(name).children())
            if leaf and self.out[name].shape == self.read[""].shape:
                lands = self.lands(name)
                if found is not None and not (lands and self.follows(found, name)):
                    break
                found = name if lands else found
        return found

    def follows(self, first: str, second: str) -> bool:
        """Whether a module reads what another one returns, and nothing else."""
        return second in self.read and _same(self.read[second], self.out[first])

    def lands(self, name: str) -> bool:
        """Whether a module's output is added, as it is, to something else."""
        own = self.out[name]
        add = torch.randn(own.shape, device="cpu", generator=torch.Generator().manual_seed(1)).to(own)
        _, read = self.run(name, add)
        return any(
            now.shape == own.shape and not _same(self.read[where], own) and _same(now - self.read[where], add)
            for where, now in read.items()
            if where in self.read
        )

    def moves(self, name: str, other: str) -> bool:
        """Whether what a module reads depends on what another returns."""
        own = self.out[name]
        _, read = self.run(name, torch.ones_like(own))
        return not torch.equal(read[other], self.read[other])


def position_table(body: nn.Module) -> nn.Embedding | None:
    """The table of a model that numbers tokens RoBERTa's way: it has a padding index of its own."""
    found = [m for name, m in body.named_modules() if name.endswith("position_embeddings")]
    tables = [m for m in found if isinstance(m, nn.Embedding) and m.padding_idx is not None]
    return tables[0] if tables else None


def _rows(tensor: Tensor) -> Tensor:
    """A copy, for some add in place, of a tensor as (tokens x width), for some are flat."""
    return tensor.reshape(-1, tensor.shape[-1] if tensor.ndim else 1).clone()


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal but for rounding."""
    if one.shape != other.shape:
        return False
    scale = max(float(one.abs().max()), 1e-6)
    return bool(float((one - other).abs().max()) <= TOLERANCE * scale)


def _states(module: nn.Module, inputs: dict[str, Any]) -> Tensor | None:
    """The first thing that a module returns; None where it does not take these inputs."""
    try:
        with torch.no_grad():
            output = module(**inputs)
    except torch.OutOfMemoryError:  # what else is on the machine must not decide it
        raise
    except Exception:  # whatever a model asks for beside these, it is not known here
        return None
    first = output if isinstance(output, Tensor) else output[0]
    return first if isinstance(first, Tensor) else None


@contextmanager
def _quietly(body: nn.Module) -> Iterator[None]:
    """Evaluation mode meanwhile, and new tensors beside the model's own, whatever the caller's are."""
    modes = [(module, module.training) for module in body.modules()]
    body.eval()
    try:
        with torch.device(next(body.parameters()).device):
            yield
    finally:
        for module, training in modes:
            module.training = training
