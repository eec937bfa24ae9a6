"""A trial of a classification whose answers are words: text-to-text, as in T5 (Raffel et al. 2020).

A model that writes is trained on the word of the label. The answer is the likeliest of the label words, each
with the token that ends it; nothing is written, and no answer has to be parsed.
"""

from __future__ import annotations

import numpy as np

import tasks
from reports.records.answers import packed
from runners.trials.prompted import SCORING_BATCH, Prompting, Split
from runners.trials.scoring import Reported, Score, known
from runners.writing.likelihood import word_scores


class Worded(Prompting):
    """A :class:`runners.trials.kind.Kind`: classifications under `text_to_text`."""

    def selecting(self) -> int:
        """Every word is read after every prompt."""
        return len(self.selection) * self.task.num_labels

    def score(self) -> Score:
        """Metric values of the model, as it is, on the selection split."""
        return known(tasks.score(self.task, self.answered(self.selection), np.asarray(self.selection.wanted)))

    def report(self, split: str = "report") -> Reported:
        """Answer to the report split, or a further one by its name, once."""
        rows = self.scored(split)
        answers, labels = self.answered(rows), np.asarray(rows.wanted)
        return Reported(
            score=known(tasks.score(self.task, answers, labels)),
            majority=known(tasks.majority(self.task, np.asarray(self.train.wanted), labels)),
            answers=packed(answers, labels, self.task.num_labels),
            rows=len(rows),
            cut=rows.cut,
        )

    def answer(self, split: Split) -> np.ndarray:
        """The number of the word that the model, as it is, finds likeliest for each of some rows."""
        words, model = self.form.words(), self.adapted.model.eval()
        found: np.ndarray = word_scores(model, split.rows, words, self.form, SCORING_BATCH).argmax(axis=1)
        return found
