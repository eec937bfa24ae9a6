"""Whether models can be stored and computed as a study asks, found out before its first trial."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

from transformers import PreTrainedModel

import methods
from methods import MethodError
from methods.anatomy.small import copy_of
from runners import models, numerics
from runners.errors import ModelError
from runners.numerics import Numerics, NumericsError
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec


def check(specs: Iterable[TrialSpec]) -> list[str]:
    """Try out on models without weights, or small ones, what of their numerics is not the default.

    Returns:
        Sentences on what will be slow here.

    Raises:
        ModelError: a model cannot be stored or computed so.
        SpecError: a method leaves nothing to store so, or cannot train what is.
    """
    told: dict[str, None] = {}
    asked = {(s.model, s.task, s.protocol.numerics, s.method, str(s.options)): s for s in specs}
    for spec in asked.values():
        stored = spec.protocol.numerics
        if stored == Numerics():
            continue
        if slow := stored.slow_here():
            told[slow] = None
        _computes(spec, stored)
        if stored.base_dtype != "float32":
            _keeps_something(spec, stored)
        if stored.quantization is not None:
            _packs(spec, stored)
    return list(told)


def _skeleton(spec: TrialSpec) -> PreTrainedModel:
    """The trial's model without weights."""
    if spec.writes:
        return models.writing_skeleton(spec.model)
    return models.skeleton(spec.model, spec.declared.num_labels, tagged=spec.declared.is_tagged)


def _computes(spec: TrialSpec, stored: Numerics) -> None:
    """The model's class has the attention and the checkpointing that are asked for."""
    model = _skeleton(spec)
    try:
        if stored.attention is not None:
            model.set_attn_implementation(stored.attention)
        stored.apply(model)
    except NumericsError as error:
        raise ModelError(f"the model {spec.model!r}: {error}.") from None
    except ValueError as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ModelError(
            f"the model {spec.model!r} has no attention {stored.attention!r}: {reason}."
        ) from None


def _keeps_something(spec: TrialSpec, stored: Numerics) -> None:
    adapted = methods.apply(_skeleton(spec), spec.method, **spec.options)
    if numerics.keeps_nothing(adapted):
        raise SpecError(
            f"{spec.method} trains every weight of the base, in float32, and leaves none to "
            f"base_dtype={stored.base_dtype}: expected float32."
        )


def _packs(spec: TrialSpec, stored: Numerics) -> None:
    """The method finds what it needs in a small copy that is stored in few bits."""
    small = copy_of(_skeleton(spec))
    if small is None:  # then the trial finds out
        return
    with tempfile.TemporaryDirectory(prefix="paretune-") as folder, models.quiet():
        small.save_pretrained(folder)
        packed = type(small).from_pretrained(folder, **stored.loading(numerics.head_modules(small)))
    try:
        methods.apply(packed, spec.method, **spec.options)
    except MethodError as error:
        raise SpecError(f"quantization={stored.quantization}: {error}") from None
