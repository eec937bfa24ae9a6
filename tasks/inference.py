"""SNLI: whether one sentence follows from another, as a declaration.

Its test set is published with labels, and is what is reported on. As of every task a slice of the training
set selects; the official validation set is not used.
"""

from __future__ import annotations

from tasks.hub import HubSource
from tasks.spec import ACCURACY, TaskSpec

SNLI = TaskSpec(
    name="snli",
    version=1,
    title="SNLI: does the caption entail the hypothesis?",
    description=(
        "Stanford Natural Language Inference: captions of photographs, with hypotheses that crowd workers "
        "wrote. Pairs on which the annotators did not agree have no label and are left out, as everywhere: "
        "785 of the training set and 176 of the test set. Short hypotheses recur, and training pairs with a "
        "sentence of the test set are dropped: fewer than most published work trains on."
    ),
    problem_type="classification",
    text_columns=("premise", "hypothesis"),
    label_column="label",
    labels=("entailment", "neutral", "contradiction"),
    metrics=(ACCURACY,),
    source=HubSource(
        hub_id="stanfordnlp/snli",
        revision="cdb5c3d5eed6ead6e5a341c8e56e669bb666725b",
        config="plain_text",
        train_split="train",
        report_split="test",
        train_rows=550_152,
        report_rows=10_000,
        unlabelled=-1,
    ),
    license="CC BY-SA 4.0",
    citation="bowman2015large",
    homepage="https://nlp.stanford.edu/projects/snli/",
)

TASKS = (SNLI,)
