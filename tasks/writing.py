"""Tasks whose answer is a text, as declarations.

E2E is the task of the LoRA paper's table 3. The hub has it as a loading script, which `datasets` no longer
runs, and as the parquet files that the hub made of it; the revision here is of those (branch
`refs/convert/parquet`). It could not be loaded where this was written, which has no network. The files that
the LoRA paper trained on (github.com/microsoft/LoRA, `data/e2e`) hold the same pairs in another spelling:
`name : Blue Spice | Type : pub` for `name[Blue Spice], eatType[pub]`, and words set apart from punctuation.
A folder of either is taken; the content hash of a trial tells which it was.

E2E is scored by BLEU, NIST, ROUGE-L and CIDEr as in its official evaluation, which has METEOR besides: that
is a program in Java (`tasks/written/meteor.py`), and no metric of a task that every machine can score.
"""

from __future__ import annotations

from tasks.spec import ANSWER_MATCH, BLEU, CIDER, NIST, ROUGE_L, HubSource, TaskSpec, Template

E2E = TaskSpec(
    name="e2e",
    version=1,
    title="E2E: write the description of a restaurant that has the given properties",
    description=(
        "The E2E NLG challenge: up to eight properties of a restaurant, and a sentence or two that crowd "
        "workers wrote from them or from pictures of them. An input has several references, some of which "
        "say less or more than it."
    ),
    problem_type="generation",
    text_columns=("meaning_representation",),
    label_column="human_reference",
    labels=(),
    metrics=(BLEU, NIST, ROUGE_L, CIDER),
    source=HubSource(
        hub_id="tuetschek/e2e_nlg",
        revision="a1fd8dcb2b81207ecc5b7fd886f78fcee959eebc",
        config="default",
        train_split="train",
        report_split="test",
        train_rows=42_061,
        report_rows=4_693,
    ),
    license="CC BY-SA 4.0",
    citation="novikova2017e2e",
    homepage="https://www.macs.hw.ac.uk/InteractionLab/E2E/",
)

GSM8K = TaskSpec(
    name="gsm8k",
    version=1,
    title="GSM8K: solve a word problem of grade school, step by step",
    description=(
        "Word problems with a solution in sentences, which ends with the number after ####. Only that number "
        "is compared. A problem has one reference; other ways to the same number are right as well."
    ),
    problem_type="generation",
    text_columns=("question",),
    label_column="answer",
    labels=(),
    metrics=(ANSWER_MATCH,),
    source=HubSource(
        hub_id="openai/gsm8k",
        revision="e53f048856ff4f594e959d75785d2c2d37b678ee",
        config="main",
        train_split="train",
        report_split="test",
        train_rows=7_473,
        report_rows=1_319,
    ),
    license="MIT",
    citation="cobbe2021training",
    homepage="https://github.com/openai/grade-school-math",
    template=Template("Question: {text}", "\nAnswer: "),
)

TASKS = (E2E, GSM8K)
