"""A trial whose answers are a label for each word of a sentence, given by a head on every token.

The head is read at the first token of a word, and the loss is the mean over those. A word that the model does
not read (:mod:`runners.trials.pieces`) is answered `O`: scores are over all words of a split.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

import tasks
from reports.records.answers import packed_spans
from runners import device, processes
from runners.errors import ModelError
from runners.optimisation import IGNORED
from runners.trials import batches, loading
from runners.trials.batches import Encoded
from runners.trials.labelled import Labelled
from runners.trials.loading import Splits
from runners.trials.scoring import Reported, Score, known
from tasks import spans
from tasks.bio import OUTSIDE


class Tagged(Labelled):
    """A :class:`runners.trials.kind.Kind`: token classification."""

    @cached_property
    def splits(self) -> Splits:
        """What is trained on, less the sentences of which no word is read, and what selects."""
        found = loading.splits(self.spec, self.adapted)
        some = np.flatnonzero(found.train.targets)
        if not len(some):
            raise ModelError(
                f"{self.spec.model!r} reads no word of the training sentences of {self.task.name}."
            )
        if len(some) == len(found.train):
            return found
        sizes = found.sizes.model_copy(update={"train": len(some)})
        return replace(found, train=found.train.part(some), sizes=sizes)

    def score(self, model: nn.Module, selection: Any) -> Score:
        """Metric values on the selection split."""
        split = self.splits.selection
        return known(tasks.score(self.task, self.answers(model, selection, split), tags_of(split)))

    def report(self, split: str = "report") -> Reported:
        """Score the report split, or a further one by its name, once."""
        main = split == "report"
        rows = self.reported if main else loading.reported(self.spec, self.adapted, split)
        true, train = tags_of(rows), tags_of(self.splits.train)
        loader = batches.scoring_loader(rows, self.tokenizer)
        said = self.answers(self.adapted.model, loader, rows)
        return Reported(
            score=known(tasks.score(self.task, said, true)),
            majority=known(tasks.majority(self.task, train, true)),
            answers=packed_spans(*spans.counts(self.task, said, true), longest=max(map(len, true))),
            rows=len(rows),
            cut=int(rows.cut.sum()),
        )

    def answers(self, model: nn.Module, loader: Any, split: Encoded) -> list[np.ndarray]:
        """A label number for each word of every row of a split, in its order; all processes get them all.

        Args:
            model: what answers.
            loader: yields this process's rows of it, as :func:`runners.trials.batches.scoring_loader` does.
            split: the rows.

        Raises:
            PeerError: another process could not answer.
        """
        model.eval()
        said: list[np.ndarray] = [np.empty(0, np.int64)]
        with torch.inference_mode():
            for batch in device.onto(self.accelerator.device, loader):
                first = batch.pop("labels") != IGNORED
                said.append(model(**batch).logits.argmax(dim=-1)[first].cpu().numpy())
        of_each = processes.gathered(np.concatenate(said))
        order, outside = batches.longest_first(split), self.task.labels.index(OUTSIDE)
        found = [np.full(len(tags), outside) for tags in tags_of(split)]
        for which, values in enumerate(of_each):
            end = 0
            for row in order[which :: len(of_each)]:
                begin, end = end, end + split.targets[row]
                _, read = split.tagged[row]
                found[row][read] = values[begin:end]
        return found


def tags_of(split: Encoded) -> list[np.ndarray]:
    """The right label of each word, by row."""
    return [split.tagged[row][0] for row in range(len(split))]
