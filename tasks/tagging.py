"""Tasks that label the words of a sentence, as declarations.

CoNLL-2003 is on the hub as a loading script, which `datasets` no longer runs, and as parquet files that were
made with it; the revision here is of such a copy. It could not be loaded where this was written, which has no
network: the commit is known from the hub's pages of that repository, and from a project that reads its files
by commit and checksum and found them equal to the original. As a local folder (`--data`) what lies in the
repository's `data` is taken. The official development set is not used: what selects is carved from the
training set, as for every task, and no sentence is in two splits.
"""

from __future__ import annotations

from tasks.hub import HubSource
from tasks.spec import SPAN_F1, SPAN_PRECISION, SPAN_RECALL, TOKEN_ACCURACY, TaskSpec

CONLL2003 = TaskSpec(
    name="conll2003",
    version=1,
    title="CoNLL-2003: which words name a person, an organisation, a place or something else?",
    description=(
        "English named entities in news of 1996: the words of a sentence with tags in IOB2. Reported on the "
        "test set (testb) by F1 of whole spans, over all words. The news repeats itself: training sentences "
        "that the test set has as well, such as a newspaper's by-line, are left out."
    ),
    problem_type="token_classification",
    text_columns=("tokens",),
    label_column="ner_tags",
    labels=("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"),
    metrics=(SPAN_F1, SPAN_PRECISION, SPAN_RECALL, TOKEN_ACCURACY),
    source=HubSource(
        hub_id="lhoestq/conll2003",
        revision="19edcb426bfd625c275c17b9a99b2239243f4377",
        config="default",
        train_split="train",
        report_split="test",
        train_rows=14_041,
        report_rows=3_453,
    ),
    license="annotation: free for research; text: Reuters Corpus, by agreement with NIST, research only",
    citation="tjongkimsang2003conll",
    homepage="https://www.clips.uantwerpen.be/conll2003/ner/",
    overlap="example",
)

TASKS = (CONLL2003,)
