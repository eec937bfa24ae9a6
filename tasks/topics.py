"""What a text is about: AG News and TREC, as declarations.

Their test sets are published with labels, and are what is reported on, complete.

The hub has TREC as a loading script, which `datasets` no longer runs, and as the parquet files that the hub
made of it; the revision here is of those (branch `refs/convert/parquet`).
"""

from __future__ import annotations

from tasks.hub import HubSource
from tasks.spec import ACCURACY, TaskSpec

_UNKNOWN = "unknown / see source"

AG_NEWS = TaskSpec(
    name="ag_news",
    version=1,
    title="AG News: is the article about the world, sports, business or science?",
    description=(
        "Titles and beginnings of news articles, in the four topics of Zhang et al. 2015, which have as "
        "many articles each. The collection that they are from may be used for what is not commercial."
    ),
    problem_type="classification",
    text_columns=("text",),
    label_column="label",
    labels=("World", "Sports", "Business", "Sci/Tech"),
    metrics=(ACCURACY,),
    source=HubSource(
        hub_id="fancyzhx/ag_news",
        revision="eb185aade064a813bc0b7f42de02595523103ca4",
        config="default",
        train_split="train",
        report_split="test",
        train_rows=120_000,
        report_rows=7_600,
    ),
    license=_UNKNOWN,
    citation="zhang2015character",
    homepage="https://huggingface.co/datasets/fancyzhx/ag_news",
)

TREC = TaskSpec(
    name="trec",
    version=1,
    title="TREC: what kind of answer does the question ask for?",
    description=(
        "Questions with the kind of their answer: an abbreviation, an entity, a description, a human being, "
        "a place or a number. These are the six coarse labels; the fifty fine ones are another task."
    ),
    problem_type="classification",
    text_columns=("text",),
    label_column="coarse_label",
    labels=("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"),
    metrics=(ACCURACY,),
    source=HubSource(
        hub_id="CogComp/trec",
        revision="65752bf53af25bc935a0dce92fb5b6c930728450",
        config="default",
        train_split="train",
        report_split="test",
        train_rows=5_452,
        report_rows=500,
    ),
    license=_UNKNOWN,
    citation="li2002learning",
    homepage="https://cogcomp.seas.upenn.edu/Data/QA/QC/",
)

TASKS = (AG_NEWS, TREC)
