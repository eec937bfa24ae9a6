"""The models that serve a method's tasks, with more and more of them."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from transformers import PreTrainedModel

import methods
from methods import Bank
from runners.measure.latency import settle
from runners.measure.serving import storage
from runners.measure.serving.tenants import Tenants
from runners.measure.serving.ways import Models, task_name
from runners.plan.contenders import Choice


class Filled:
    """Two untouched bases, a bank, and a merged model where the method merges, each with weights of its own.

    Args:
        base: the model; it is copied.
        choice: the method and its options.
        tenants: its tasks.
    """

    def __init__(self, base: PreTrainedModel, choice: Choice, tenants: Tenants) -> None:
        self.tenants, self._device, self._grown = tenants, torch.device(base.device), 0
        untouched, control, served = (copy.deepcopy(base) for _ in range(3))
        merged = None
        if tenants.method.mergeable:
            merged = methods.apply(copy.deepcopy(base), choice.method, **choice.options)
            merged.model.eval()
            merged.merge()
        for model in (untouched, control, served, *((merged.model,) if merged else ())):
            settle(model)
        self.models = Models(untouched, control, Bank(served), merged, ())

    def fill(self, tasks: int) -> int:
        """Hold so many tasks, at least as many as before; return by how many bytes memory grew with them.

        The checkpoints that a merged model switches to are not counted: a server without batches of several
        tasks would have those instead.
        """
        bank, merged = self.models.bank, self.models.merged
        if merged is not None:
            more = [self.tenants.checkpoint(number) for number in range(len(bank), tasks)]
            self.models = replace(self.models, checkpoints=(*self.models.checkpoints, *more))
            merged.switch(self.models.checkpoints[0])
        before = storage.allocated(self._device)
        for number in range(len(bank), tasks):
            have = self.models.checkpoints
            bank.add(task_name(number), have[number] if have else self.tenants.checkpoint(number))
        self._grown += storage.allocated(self._device) - before
        return self._grown
