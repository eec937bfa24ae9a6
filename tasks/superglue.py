"""Four tasks of SuperGLUE (BoolQ, CB, COPA, WiC) for models that read one or two texts, as declarations.

Source: Wang et al. 2019, "SuperGLUE: A Stickier Benchmark for General-Purpose Language Understanding
Systems" (arXiv:1905.00537), in the files of `aps/super_glue` on the hub, which name the labels as here. As
of GLUE, the test labels are not published: the official validation set is reported on, complete, and a
slice of the training set selects (`tasks/splits.py`). RTE is GLUE's. MultiRC, ReCoRD and WSC are not here:
several answers to one question, answers that are places of a text, and spans need another head.

WiC and COPA have more columns than two texts. How they are written is part of the task, since it moves
scores; the wording is that of P-tuning v2 (Liu et al. 2022, arXiv:2110.07602,
`github.com/THUDM/P-tuning-v2`).
"""

from __future__ import annotations

from tasks.hub import HubSource
from tasks.joined import Joined
from tasks.spec import ACCURACY, MACRO_F1, TaskSpec

_UNKNOWN = "unknown / see source"
_FALSE_TRUE = ("False", "True")


def _superglue(config: str, train_rows: int, report_rows: int, joined: Joined | None = None) -> HubSource:
    """A configuration of the hub's SuperGLUE, at the commit that holds it as parquet files."""
    return HubSource(
        hub_id="aps/super_glue",
        revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
        config=config,
        train_split="train",
        report_split="validation",
        train_rows=train_rows,
        report_rows=report_rows,
        joined=joined,
    )


BOOLQ = TaskSpec(
    name="boolq",
    version=1,
    title="BoolQ: does the passage answer the question with yes?",
    description=(
        "Questions that people asked a search engine, each with a paragraph of Wikipedia that answers it "
        "with yes or no; about 62 % are yes. With a max_length of 128 many passages are cut, which the "
        "record counts. Training questions whose passage the validation set has are dropped."
    ),
    problem_type="classification",
    text_columns=("question", "passage"),
    label_column="label",
    labels=_FALSE_TRUE,
    metrics=(ACCURACY,),
    source=_superglue("boolq", 9_427, 3_270),
    license="CC BY-SA 3.0",
    citation="clark2019boolq",
    homepage="https://github.com/google-research-datasets/boolean-questions",
)

CB = TaskSpec(
    name="cb",
    version=1,
    title="CB: is the author committed to the embedded clause?",
    description=(
        "The CommitmentBank: short passages with an embedded clause, which is the hypothesis. Published "
        "scores are accuracy and macro F1, or their mean. It is tiny: 250 examples to train on, of which a "
        "tenth selects, and 56 to report on, so that one answer is worth 0.018."
    ),
    problem_type="classification",
    text_columns=("premise", "hypothesis"),
    label_column="label",
    labels=("entailment", "contradiction", "neutral"),
    metrics=(ACCURACY, MACRO_F1),
    source=_superglue("cb", 250, 56),
    license=_UNKNOWN,
    citation="demarneffe2019commitmentbank",
    homepage="https://github.com/mcdm/CommitmentBank",
)

COPA = TaskSpec(
    name="copa",
    version=1,
    title="COPA: which of two sentences is the cause, or the effect, of the premise?",
    description=(
        "The Choice of Plausible Alternatives, as one pair of texts with two labels: the premise, `because` "
        "or `so`, and the first choice; the same with the second. SuperGLUE's baselines score each choice "
        "by itself and take the higher score, which needs a head for multiple choice: the task here is "
        "another formulation, and its scores are not those. It is small: 400 examples to train on, 100 to "
        "report on."
    ),
    problem_type="classification",
    text_columns=("choice1", "choice2"),
    label_column="label",
    labels=("choice1", "choice2"),
    metrics=(ACCURACY,),
    source=_superglue(
        *("copa", 400, 100),
        Joined(
            ("{premise} {question} {choice1}", "{premise} {question} {choice2}"),
            (("question", "cause", "because"), ("question", "effect", "so")),
        ),
    ),
    license=_UNKNOWN,
    citation="roemmele2011choice",
    homepage="https://people.ict.usc.edu/~gordon/copa.html",
)

WIC = TaskSpec(
    name="wic",
    version=1,
    title="WiC: has the word the same sense in both sentences?",
    description=(
        "Words in Context: a noun or a verb, and two sentences that have it. Each text is the word, a colon "
        "and a sentence. SuperGLUE's baselines also give the head the states of the word in both sentences, "
        "which no head here does: scores of theirs may be higher."
    ),
    problem_type="classification",
    text_columns=("sentence1", "sentence2"),
    label_column="label",
    labels=_FALSE_TRUE,
    metrics=(ACCURACY,),
    source=_superglue("wic", 5_428, 638, Joined(("{word}: {sentence1}", "{word}: {sentence2}"))),
    license=_UNKNOWN,
    citation="pilehvar2019wic",
    homepage="https://pilehvar.github.io/wic/",
)

TASKS = (BOOLQ, CB, COPA, WIC)
