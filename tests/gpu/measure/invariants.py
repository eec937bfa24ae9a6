"""The invariants of `tests/methods/test_invariants.py` as figures, on the device and in the dtype of a case.

What is exact there is exact here: the function at step 0, frozen weights, what `remove` and `unmerge` give
back. What rounding moves is a deviation: the largest difference of two logits, as a share of the largest one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor

import methods
from runners import device
from runners.failures import describe

from ...methods import cells, conftest
from ...methods.test_invariants import at_tokens, real
from .document import Found, Item
from .sizes import Sizes

ALLOWED = {"float32": 2e-4, "bfloat16": 0.1}
"""Largest deviation, by dtype."""
LEAST_EFFECT = 1e-3
"""Of a method whose tensors were moved, measured in the same way."""


@dataclass(frozen=True)
class Case:
    """A method on a base."""

    method: str
    architecture: str
    head: str
    dtype: str
    attention: str
    changes: tuple[tuple[str, Any], ...]
    """Of the tests' tiny configuration."""

    @property
    def about(self) -> dict[str, str]:
        """How the document names it."""
        base = f"{self.architecture}, {self.head}"
        return {"method": self.method, "base": base, "dtype": self.dtype, "attention": self.attention}

    def base(self, attention: str | None = None) -> Any:
        """The model, always with the same weights, on the device."""
        model = conftest.tiny(
            self.architecture,
            self.head,
            dtype=getattr(torch, self.dtype),
            attn_implementation=attention or self.attention,
            **dict(self.changes),
        )
        return model.to(device.accelerator().device)

    def adapted(self, attention: str | None = None) -> methods.Adapted:
        """The method in it, each of its tensors moved from where it starts."""
        adapted = self.applied(self.base(attention))
        device.seed_everything(5)
        cells.perturb(adapted)
        return adapted

    def applied(self, model: Any) -> methods.Adapted:
        """The method in a base, as it starts; seeded on every device."""
        device.seed_everything(11)
        return cells.apply(model, self.method)

    def close(self, found: list[Tensor], expected: list[Tensor]) -> Found:
        """The deviation, and whether it is allowed."""
        assert [one.shape for one in found] == [one.shape for one in expected]
        one, other = (torch.cat([x.flatten() for x in tensors]).double() for tensors in (found, expected))
        deviation = float((one - other).abs().max() / other.abs().max())  # NaN stays NaN, and is not allowed
        return {"ok": deviation <= ALLOWED[self.dtype], "deviation": deviation}


def start(case: Case) -> Found:
    """At step 0 the function is the base's, bit by bit, unless the method says otherwise.

    One that says so differs in float32; half precision may round what is nearly nothing (Houlsby) to nothing.
    """
    model = case.base()
    batch = conftest.inputs(model)
    before = conftest.logits(model, batch)
    adapted = case.applied(model)
    same = torch.equal(conftest.logits(model, batch), before)
    expected = adapted.method.card.starts_at_base
    return {"ok": same == expected or (same and case.dtype != "float32")}


def frozen(case: Case) -> Found:
    """Two steps move what is declared, and nothing else by a bit."""
    model = case.base()
    adapted = case.applied(model)
    trained = {id(p) for p in adapted.trained().values()}
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    conftest.train(model, steps=2)  # at the first LoRA's A has no gradient
    same = {n: torch.equal(p, before[n]) for n, p in model.named_parameters()}
    wrong = [n for n, p in model.named_parameters() if same[n] == (id(p) in trained)]
    return {"ok": not wrong, **({"message": f"wrong: {', '.join(wrong[:3])}"} if wrong else {})}


def effect(case: Case) -> Found:
    """Its tensors moved, a method has an effect: else nothing below could fail."""
    model, adapted = case.base(), case.adapted()
    batch = conftest.inputs(model)
    found = case.close([conftest.logits(adapted.model, batch)], [conftest.logits(model, batch)])
    return {"ok": found["deviation"] > LEAST_EFFECT}


def merged(case: Case) -> Found:
    """Merged, the logits are those before; unmerged they are so bit by bit."""
    adapted = case.adapted()
    if not adapted.method.mergeable:
        return {"ok": True}
    batch = conftest.inputs(adapted.model)
    before = conftest.logits(adapted.model, batch)
    adapted.merge()
    found = case.close([conftest.logits(adapted.model, batch)], [before])
    adapted.unmerge()
    same = torch.equal(conftest.logits(adapted.model, batch), before)
    return found | ({} if same else {"ok": False, "message": "unmerge() does not give the logits back"})


def removed(case: Case) -> Found:
    """After `remove` weights and logits are the base's, bit by bit."""
    model = case.base()
    batch = conftest.inputs(model)
    before, values = conftest.logits(model, batch), cells.state(model)
    adapted = case.applied(model)
    cells.perturb(adapted)
    if adapted.method.mergeable:
        adapted.merge()
    adapted.remove()
    same = torch.equal(conftest.logits(model, batch), before)
    return {"ok": same and cells.equal(cells.state(model), values)}


def rows(case: Case) -> Found:
    """A batch is its rows, one by one and without their padding."""
    model = case.adapted().model
    batch = conftest.inputs(model, (30, 3, 14))
    together = at_tokens(model, batch)
    alone = [
        conftest.logits(model, {k: v[row : row + 1, real(batch, k)[row]] for k, v in batch.items()})[0]
        for row in range(len(together))
    ]
    return case.close(alone, together)


def other_attention(case: Case) -> Found:
    """Eager attention gives the same; nothing to compare where the case is eager itself."""
    if case.attention == "eager":
        return {"ok": True}
    model, eager = case.adapted().model, case.adapted("eager").model
    batch = conftest.inputs(model)
    return case.close(at_tokens(model, batch), at_tokens(eager, batch))


def on_the_host(case: Case) -> Found:
    """A copy on the CPU gives the same."""
    model = case.adapted().model
    host = copy.deepcopy(model).to("cpu")
    here = at_tokens(model, conftest.inputs(model))
    return case.close([one.cpu() for one in here], at_tokens(host, conftest.inputs(host)))


CHECKS: dict[str, Callable[[Case], Found]] = {
    "step 0": start,
    "frozen": frozen,
    "effect": effect,
    "merge": merged,
    "remove": removed,
    "rows": rows,
    "eager": other_attention,
    "host": on_the_host,
}


def check(case: Case) -> Found:
    """All checks of a case; one that raises is reported, and the others go on."""
    found: dict[str, Found] = {}
    for name, one in CHECKS.items():
        try:
            found[name] = one(case)
        except Exception as error:
            found[name] = {"ok": False, "message": describe(error)}
    return {"ok": all(one["ok"] for one in found.values()), "checks": found}


def compiled(case: Case, backend: str) -> Found:
    """Compiled, the logits are those of eager PyTorch."""
    torch.compiler.reset()
    model = case.adapted().model
    batch = conftest.inputs(model)
    expected = conftest.logits(model, batch)
    return case.close([conftest.logits(torch.compile(model, backend=backend), batch)], [expected])


def cases(sizes: Sizes) -> Iterator[Case]:
    """All bases and dtypes with the first attention, then with the next."""
    for attention, base, dtype in product(sizes.attentions, sizes.bases, sizes.dtypes):
        yield from _methods(sizes, base, dtype, attention)


def _methods(sizes: Sizes, base: tuple[str, str], dtype: str, attention: str) -> Iterator[Case]:
    for name in sizes.methods:
        if cells.why_not(name, *base) is None:
            yield Case(name, *base, dtype, attention, tuple(sizes.bases[base].items()))


def items(sizes: Sizes) -> Iterator[Item]:
    """One item a case."""
    for case in cases(sizes):
        yield Item(case.about, partial(check, case))


def compiled_items(sizes: Sizes) -> Iterator[Item]:
    """One item a method that computes something of its own, on each base that is compiled."""
    for architecture, head, dtype in sizes.compiled:
        for case in _methods(sizes, (architecture, head), dtype, sizes.attentions[0]):
            if case.method not in cells.OF_THE_BASE:
                yield Item(case.about, partial(compiled, case, sizes.backend))
