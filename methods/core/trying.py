"""What each method can do on a model, found by doing it on a small copy."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.quantised import library
from methods.anatomy.small import copy_of, sample
from methods.core.adapted import MARK, Adapted
from methods.core.capability import ACTS, Capability
from methods.core.method import Method
from methods.errors import MethodError

TOKENS = 3
"""What is written where writing is tried."""
MOVE = 0.05
"""Standard deviation of what is added to everything that trains: at its start a method may do nothing."""
CLOSE = 1e-3
"""Largest difference of two outputs that are the same, next to their largest value."""


def capabilities(model: PreTrainedModel, methods: Iterable[Method[Any]]) -> tuple[Capability, ...]:
    """Try methods out with their default options, on a small copy of a model.

    A model on the meta device, or one that is quantised, is asked itself as well whether it takes a method;
    it is left as it was.

    Args:
        model: any transformers model; it needs no weights.
        methods: what is tried.

    Raises:
        MethodError: no small copy of it can be made and run.
    """
    anatomy, small = Anatomy(model), copy_of(model)
    inputs = None if small is None else sample(small)
    if small is None or inputs is None:
        raise MethodError(
            f"{anatomy} cannot be tried out: a small copy of it, made from its configuration, does not run."
        )
    itself = not hasattr(model, MARK) and (all(p.is_meta for p in model.parameters()) or _is_quantised(model))
    here = nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
    with here:
        return tuple(_capability(model if itself else None, small, inputs, method) for method in methods)


def _capability(
    itself: PreTrainedModel | None, small: PreTrainedModel, inputs: dict[str, Tensor], method: Method[Any]
) -> Capability:
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.default_generator.manual_seed(0)
        try:
            options = method.options.parse(method.name, {})
            if itself is not None:
                Adapted(itself, method, options).remove()
            adapted = Adapted(copy.deepcopy(small), method, options)
        except MethodError as error:
            return Capability(method.name, dict.fromkeys(ACTS, str(error)))
        for parameter in adapted.trained().values():
            parameter.data.add_(MOVE * torch.randn_like(parameter))
        tries: dict[str, Callable[[], None]] = {
            "train": partial(_train, adapted, inputs),
            "merge": partial(_merge, adapted, inputs),
            "generate": partial(_generate, adapted, inputs),
            "export": partial(_export, adapted),
        }
        reasons = {act: _why_not(attempt) for act, attempt in tries.items()}
    return Capability(method.name, {act: why for act, why in reasons.items() if why is not None})


def _why_not(attempt: Callable[[], None]) -> str | None:
    """What keeps something from being done, None where it is done."""
    try:
        attempt()
    except torch.OutOfMemoryError:  # what else is on the machine must not decide it
        raise
    except MethodError as error:
        return str(error)
    except Exception as error:  # a library's, which says it in its own words
        said = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {said}"
    return None


def _train(adapted: Adapted, inputs: dict[str, Tensor]) -> None:
    _answer(adapted, inputs).float().square().mean().backward()
    trained = adapted.trained().values()
    if not any(parameter.grad is not None and parameter.grad.any() for parameter in trained):
        raise MethodError(f"nothing that {adapted.method.name} trains has a gradient.")
    for parameter in trained:
        parameter.grad = None


def _merge(adapted: Adapted, inputs: dict[str, Tensor]) -> None:
    with torch.no_grad():
        before = _answer(adapted, inputs)
        adapted.merge()
        after = _answer(adapted, inputs)
    adapted.unmerge()
    if not _close(before, after):
        raise MethodError("merged, the model computes something else.")


def _generate(adapted: Adapted, inputs: dict[str, Tensor]) -> None:
    model: Any = adapted.model
    if not model.can_generate():
        raise MethodError(f"{adapted.anatomy} writes no text.")
    length = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False}
    settings = {**length, "output_logits": True, "return_dict_in_generate": True}
    first = {model.main_input_name: inputs[model.main_input_name]}
    with torch.no_grad():
        one, other = (
            torch.stack(model.generate(**first, use_cache=use, **settings).logits) for use in (True, False)
        )
    if not _close(one, other):
        raise MethodError("with a cache it writes something else than without.")


def _export(adapted: Adapted) -> None:
    with tempfile.TemporaryDirectory() as folder:
        adapted.export_peft(folder)


def _answer(adapted: Adapted, inputs: dict[str, Tensor]) -> Tensor:
    """The logits, or what comes first where there are none."""
    output = adapted.model(**inputs)
    logits = getattr(output, "logits", None)
    found: Tensor = output[0] if logits is None else logits
    return found


def _close(one: Tensor, other: Tensor) -> bool:
    scale = max(1.0, float(one.abs().max()))
    return one.shape == other.shape and bool((one - other).abs().max() <= CLOSE * scale)


def _is_quantised(model: PreTrainedModel) -> bool:
    """Whether some weights are packed: what may be done to them is not said by the configuration alone."""
    return any(library(parameter) is not None for parameter in model.parameters())
