"""A trial whose answers are texts, scored by what is written.

What selects is the main metric of the texts that the model writes, with the settings that the reported split
is scored with.
"""

from __future__ import annotations

import numpy as np

import tasks
from runners.trials.prompted import SCORING_BATCH, Prompting, Split, settings
from runners.trials.scoring import Reported, Score, known
from runners.writing.decoding import Decoding, write


class Written(Prompting):
    """A :class:`runners.trials.kind.Kind`: tasks of the problem type `generation`."""

    def selecting(self) -> int:
        """Inputs times beams: with its keys and values kept, a text takes the products of one pass."""
        return len(self.selection) * settings(self.spec).beams

    def answer(self, split: Split) -> np.ndarray:
        """The text that the model, as it is, writes for each of some rows."""
        asked = settings(self.spec)
        decoding = Decoding(asked.longest, asked.beams, asked.length_penalty, asked.no_repeat)
        made = write(self.adapted.model, split.rows, self.form, decoding, SCORING_BATCH)
        return np.array(made.texts, object)

    def score(self) -> Score:
        """Metric values of what the model, as it is, writes on the selection split."""
        return self._scored(self.selection)

    def report(self, split: str = "report") -> Reported:
        """Write for the report split, or a further one, once; beside it, always the most frequent target."""
        rows = self.scored(split)
        targets = [one for several in self.train.wanted for one in several]
        majority = known(tasks.majority(self.task, targets, rows.wanted))
        return Reported(self._scored(rows), majority, None, len(rows), rows.cut)

    def _scored(self, split: Split) -> Score:
        return known(tasks.score(self.task, self.answered(split).tolist(), split.wanted))
