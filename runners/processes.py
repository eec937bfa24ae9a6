"""Several processes that do one trial: what they agree on, exchange and average.

All processes run the same code. Wherever one needs the others they *meet*: each says whether it can go on,
and where one cannot, all raise. A process that failed anywhere between two meetings says so at the others'
next one, so nobody waits for a process that has left::

    with together():         # an error of one inside is an error of all; they leave it together
        model = load()       # may fail on one of them alone
        found = gathered(x)  # a meeting

Meetings and exchanges go through the memory of the host (gloo): they need nothing of a device that is full,
and whoever waits there for what only the first process does, such as to measure costs, uses no core and has
no timeout. Gradients go from device to device.

With one process every function here returns at once what it was given.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn

from runners import device
from runners.errors import PeerError
from runners.failures import LostError, describe

PATIENCE = timedelta(days=365)
"""How long a process waits for the others at a meeting: one that is gone is noticed at once."""

BUCKET = 1 << 23
"""Values that are averaged at once: 32 MB in float32, which is also the memory that averaging takes."""

T = TypeVar("T")


def count() -> int:
    """How many processes there are."""
    return device.processes().num_processes


def index() -> int:
    """Which of them this is, from 0."""
    return device.processes().process_index


def own_seed(seed: int) -> int:
    """A seed for what each process draws for itself; the first has that of a process alone."""
    if index() == 0:
        return seed
    return int(np.random.SeedSequence((seed, index())).generate_state(1, np.uint64)[0])


def share(of: Sequence[T]) -> Sequence[T]:
    """What this process does of a sequence: every n-th, beginning with its index. The first has most."""
    return of[index() :: count()] if count() > 1 else of


def largest_share(rows: int) -> int:
    """How much of so many the first process does, which has most."""
    return -(-rows // count())


def whole(shares: Sequence[np.ndarray]) -> np.ndarray:
    """What the processes' shares are of, in its order."""
    if len(shares) == 1:
        return shares[0]
    made = np.empty(sum(map(len, shares)), shares[0].dtype)
    for which, one in enumerate(shares):
        made[which :: len(shares)] = one
    return made


@contextmanager
def together() -> Iterator[None]:
    """All processes enter this and leave it together: an error of one inside is an error of all.

    The one that failed raises its own error.

    Raises:
        PeerError: another process failed.
    """
    try:
        yield
    except Exception as error:
        if not (isinstance(error, PeerError) or getattr(error, "agreed", False)):
            _meet(error=error)
        raise
    _meet()


def gathered(value: T) -> list[T]:
    """What every process gave, in the order of the processes.

    Raises:
        PeerError: another process could not go on.
    """
    if count() == 1:
        return [value]
    content = pickle.dumps(value)  # what cannot be sent fails here, where it fails nobody else
    _meet()
    return [pickle.loads(each) for each in _exchanged(content)]


def by_first(call: Callable[[], T]) -> T:
    """What the first process gets from a call; the others wait for it.

    Raises:
        PeerError: the call failed; on the first process its own error.
    """
    if count() == 1:
        return call()
    with together():
        content = [pickle.dumps(call()) if index() == 0 else None]
    _over_the_host(torch.distributed.broadcast_object_list, content, src=0)
    return pickle.loads(content[0])  # type: ignore[arg-type]


def check_same(what: str, value: object) -> None:
    """All processes must have the same of something.

    Raises:
        PeerError: they have not; on all of them.
    """
    for which, other in enumerate(found := gathered(value)):
        if other != found[0]:
            raise PeerError(f"process {which} has another {what} ({other}) than the first ({found[0]}).")


def start_equal(parameters: Iterable[nn.Parameter]) -> None:
    """Give all processes the first one's values of what they train.

    Raises:
        PeerError: another process could not go on.
    """
    if count() == 1:
        return
    values = [(parameter.data, parameter.data.contiguous()) for parameter in parameters]
    _meet()
    for own, value in values:
        torch.distributed.broadcast(value, src=0)
        own.copy_(value)


@torch.no_grad()
def averaged(parameters: Sequence[nn.Parameter], loss: Tensor | None, rows: int) -> Tensor:
    """Turn gradients of the mean loss over each process's rows into those of the mean over all rows.

    Where a loss is a mean over labelled tokens, these are what is called rows here.

    Args:
        parameters: which have the gradients of this process.
        loss: its mean loss; None where it has no row.
        rows: how many it has, or as many labelled tokens where the mean is over those.

    Returns:
        The mean loss over all rows.

    Raises:
        PeerError: another process could not go on.
    """
    if count() == 1 and loss is not None:
        return loss
    # What takes memory comes before the meeting: behind it no process may fail alone.
    unused = [parameter.grad is None for parameter in parameters]
    gradients: list[Tensor] = []
    for parameter in parameters:
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.contiguous()
        parameter.grad = gradient
        gradients += gradient.view(-1).split(BUCKET)
    size = min(BUCKET, sum(gradient.numel() for gradient in gradients))
    kind = functools.reduce(torch.promote_types, {gradient.dtype for gradient in gradients}, torch.float32)
    buffer = torch.empty(size + 2, dtype=kind, device=gradients[0].device)
    here = buffer.new_tensor([rows, 0.0])
    if loss is not None:
        here[1] = loss * rows
    if _meet(rows > 0 and any(unused)):  # what no process used must have no gradient, rather than one of zero
        used = torch.tensor([rows > 0 and not each for each in unused], dtype=torch.uint8)
        _over_the_host(torch.distributed.all_reduce, used, torch.distributed.ReduceOp.MAX)
        unused = [not each for each in used.tolist()]
    else:
        unused = [False] * len(unused)
    for bucket in _packed(gradients):
        sizes = [gradient.numel() for gradient in bucket]
        flat = buffer[: 2 + sum(sizes)]
        parts = flat[2:].split(sizes)
        flat[:2] = here
        for part, gradient in zip(parts, bucket, strict=True):
            torch.mul(gradient, rows, out=part)
        torch.distributed.all_reduce(flat)
        flat[1:].div_(flat[0].clone())
        for part, gradient in zip(parts, bucket, strict=True):
            gradient.copy_(part)
    for parameter, nobody in zip(parameters, unused, strict=True):
        if nobody:
            parameter.grad = None
    return buffer[1].clone()


def _packed(gradients: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients in a row, as many at once as a bucket holds."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        if size + gradient.numel() > BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel()
    yield bucket


def _meet(flag: bool = False, *, error: Exception | None = None) -> bool:
    """Say that this process goes on, or what it failed of; return whether any process has raised the flag.

    Every meeting begins with the same message, so that the error of one process reaches the others at
    whichever they come to first.

    Raises:
        PeerError: another process failed, and this one did not.
    """
    if count() == 1:
        return flag
    said = torch.tensor([error is not None, flag], dtype=torch.uint8)
    _over_the_host(torch.distributed.all_reduce, said, torch.distributed.ReduceOp.MAX)
    failed, flagged = said.tolist()
    if not failed:
        return bool(flagged)
    told = _exchanged(None if error is None else (device.is_out_of_memory(error), describe(error)))
    if error is not None:
        error.agreed = True  # type: ignore[attr-defined]
        return False
    which, (memory, why) = next((which, one) for which, one in enumerate(told) if one is not None)
    message = f"process {which} {'ran out of memory' if memory else 'failed'}: {why}"
    raise PeerError(message) from (torch.OutOfMemoryError(why) if memory else None)


def _exchanged(value: Any) -> list[Any]:
    """What every process gave; they have met before."""
    found: list[Any] = [None] * count()
    _over_the_host(torch.distributed.all_gather_object, found, value)
    return found


def _over_the_host(call: Callable[..., Any], *arguments: Any, **more: Any) -> None:
    """Let all processes do one thing through the memory of the host.

    Raises:
        LostError: one of them is gone.
    """
    try:
        call(*arguments, group=_host(), **more)
    except RuntimeError as error:
        raise LostError(
            "another process of this run is gone: what is done is kept, and the same command goes on with "
            "the rest."
        ) from error


@cache
def _host() -> torch.distributed.ProcessGroup:
    return torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
