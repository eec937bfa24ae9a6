"""The nine GLUE tasks, as declarations.

Source: Wang et al. 2019, "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding" (arXiv:1804.07461), in the files of `nyu-mll/glue` on the hub. GLUE does not publish its
test labels (they are -1 in those files), so the official validation set is what we report on, complete
and untouched, and a slice of the training set selects the checkpoint (`tasks/splits.py`).

Metrics are GLUE's own. The first one ranks methods and is the one of Table 2 of the LoRA paper
(arXiv:2106.09685): Matthews correlation for CoLA, Pearson correlation for STS-B, accuracy elsewhere.

MNLI is trained once and scored on both of its validation sets: the matched one ranks, the mismatched one is a
further report split. What of it shares a sentence with the training set is left out, as everywhere
(`tasks/further.py`). The task mnli_mismatched, which had a training of its own for it, drops those training
pairs instead and reports on the whole set: its scores stay what they are, and nobody has to train twice.

Licences: the hub's card says "other" and refers to the original licence of each dataset. We name a
licence only where the dataset's own page does; "unknown / see source" is meant literally.
"""

from __future__ import annotations

from tasks.hub import FurtherSplit, HubSource
from tasks.spec import ACCURACY, F1, MATTHEWS, PEARSON, SPEARMAN, TaskSpec

_UNKNOWN = "unknown / see source"
_MULTINLI_LICENSE = (
    "mixed: OANC licence for most of it, CC BY 3.0 / CC BY-SA 3.0 / other for the fiction part"
)
_NLI = ("entailment", "neutral", "contradiction")
_RTE = ("entailment", "not_entailment")


def _glue(
    config: str,
    train_rows: int,
    report_rows: int,
    report_split: str = "validation",
    *further: FurtherSplit,
) -> HubSource:
    """A configuration of the hub's GLUE, at the commit that holds it as parquet files."""
    return HubSource(
        hub_id="nyu-mll/glue",
        revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
        config=config,
        train_split="train",
        report_split=report_split,
        train_rows=train_rows,
        report_rows=report_rows,
        further_splits=further,
    )


COLA = TaskSpec(
    name="cola",
    version=1,
    title="CoLA: is the sentence grammatical English?",
    description=(
        "The Corpus of Linguistic Acceptability: sentences from linguistics publications with the "
        "judgement printed there. About 70 % are acceptable, hence the Matthews correlation."
    ),
    problem_type="classification",
    text_columns=("sentence",),
    label_column="label",
    labels=("unacceptable", "acceptable"),
    metrics=(MATTHEWS,),
    source=_glue("cola", 8_551, 1_043),
    license=_UNKNOWN,
    citation="warstadt2019neural",
    homepage="https://nyu-mll.github.io/CoLA/",
)

SST2 = TaskSpec(
    name="sst2",
    version=1,
    title="SST-2: is the film review sentence positive?",
    description=(
        "The binary Stanford Sentiment Treebank. The hub's training set holds phrases of the parse trees "
        "as well as whole sentences (67,349); copies with the 6,920 whole sentences only are another "
        "task in all but name, and the content hash tells them apart."
    ),
    problem_type="classification",
    text_columns=("sentence",),
    label_column="label",
    labels=("negative", "positive"),
    metrics=(ACCURACY,),
    source=_glue("sst2", 67_349, 872),
    license=_UNKNOWN,
    citation="socher2013recursive",
    homepage="https://nlp.stanford.edu/sentiment/",
    collection="the sentences of film reviews of Pang and Lee (2005)",
)

MRPC = TaskSpec(
    name="mrpc",
    version=1,
    title="MRPC: do the two news sentences mean the same?",
    description=(
        "The Microsoft Research Paraphrase Corpus: sentence pairs from news clusters, about two thirds of "
        "them paraphrases."
    ),
    problem_type="classification",
    text_columns=("sentence1", "sentence2"),
    label_column="label",
    labels=("not_equivalent", "equivalent"),
    metrics=(ACCURACY, F1),
    source=_glue("mrpc", 3_668, 408),
    license=_UNKNOWN,
    citation="dolan2005automatically",
    homepage="https://www.microsoft.com/en-us/download/details.aspx?id=52398",
)

STSB = TaskSpec(
    name="stsb",
    version=1,
    title="STS-B: how similar are the two sentences, from 0 to 5?",
    description=(
        "The Semantic Textual Similarity Benchmark: captions, headlines and forum posts with the mean "
        "of human ratings from 0 to 5. A regression; the label is predicted as it is, not rescaled. Its "
        "validation set repeats many sentences of the training set, and those training pairs are dropped."
    ),
    problem_type="regression",
    text_columns=("sentence1", "sentence2"),
    label_column="label",
    labels=(),
    metrics=(PEARSON, SPEARMAN),
    source=_glue("stsb", 5_749, 1_500),
    license=_UNKNOWN,
    citation="cer2017semeval",
    homepage="https://ixa2.si.ehu.eus/stswiki/index.php/STSbenchmark",
)

QQP = TaskSpec(
    name="qqp",
    version=1,
    title="QQP: do the two Quora questions ask the same?",
    description=(
        "Quora Question Pairs. Questions recur in many pairs, so groups of pairs joined by a question "
        "stay in one split, and training pairs with a question of the validation set are dropped: fewer "
        "training pairs than most published work uses."
    ),
    problem_type="classification",
    text_columns=("question1", "question2"),
    label_column="label",
    labels=("not_duplicate", "duplicate"),
    metrics=(ACCURACY, F1),
    source=_glue("qqp", 363_846, 40_430),
    license=_UNKNOWN,
    citation="iyer2017quora",
    homepage="https://quoradata.quora.com/First-Quora-Dataset-Release-Question-Pairs",
)

MNLI = TaskSpec(
    name="mnli",
    version=1,
    title="MNLI matched: does the premise entail the hypothesis? Genres seen in training",
    description=(
        "Multi-Genre Natural Language Inference, reported on validation_matched: other texts of the five "
        "genres of the training set. The same trained model is scored on validation_mismatched as well: five "
        "genres that the training set does not have, without the pairs of which it has a sentence."
    ),
    problem_type="classification",
    text_columns=("premise", "hypothesis"),
    label_column="label",
    labels=_NLI,
    metrics=(ACCURACY,),
    source=_glue(
        *("mnli", 392_702, 9_815, "validation_matched"),
        FurtherSplit("mismatched", "validation_mismatched", 9_832),
    ),
    license=_MULTINLI_LICENSE,
    citation="williams2018broad",
    homepage="https://cims.nyu.edu/~sbowman/multinli/",
    collection="MultiNLI",
)

MNLI_MISMATCHED = TaskSpec(
    name="mnli_mismatched",
    version=1,
    title="MNLI mismatched: does the premise entail the hypothesis? Genres not seen in training",
    description=(
        "Trained on the training set of mnli and reported on validation_mismatched: five genres that the "
        "training set does not have. The checkpoint is selected on a slice of the training set, so "
        "nothing of the new genres takes part in choosing it."
    ),
    problem_type="classification",
    text_columns=("premise", "hypothesis"),
    label_column="label",
    labels=_NLI,
    metrics=(ACCURACY,),
    source=_glue("mnli", 392_702, 9_832, "validation_mismatched"),
    license=_MULTINLI_LICENSE,
    citation="williams2018broad",
    homepage="https://cims.nyu.edu/~sbowman/multinli/",
    collection="MultiNLI",
    superseded_by="mnli",
)

QNLI = TaskSpec(
    name="qnli",
    version=1,
    title="QNLI: does the sentence answer the question?",
    description="Questions of SQuAD with one sentence of the paragraph, made into pairs by GLUE.",
    problem_type="classification",
    text_columns=("question", "sentence"),
    label_column="label",
    labels=_RTE,
    metrics=(ACCURACY,),
    source=_glue("qnli", 104_743, 5_463),
    license="CC BY-SA 4.0 (SQuAD, from which GLUE made it)",
    citation="rajpurkar2016squad",
    homepage="https://rajpurkar.github.io/SQuAD-explorer/",
)

RTE = TaskSpec(
    name="rte",
    version=1,
    title="RTE: does the text entail the hypothesis?",
    description=(
        "The Recognizing Textual Entailment sets 1, 2, 3 and 5, joined by GLUE; neutral and contradiction "
        "are one label. CITATIONS.bib has the other three challenges beside the fifth. It is small: one "
        "standard error of an accuracy is about 0.03."
    ),
    problem_type="classification",
    text_columns=("sentence1", "sentence2"),
    label_column="label",
    labels=_RTE,
    metrics=(ACCURACY,),
    source=_glue("rte", 2_490, 277),
    license=_UNKNOWN,
    citation="bentivogli2009fifth",
    homepage="https://aclweb.org/aclwiki/Recognizing_Textual_Entailment",
)

WNLI = TaskSpec(
    name="wnli",
    version=1,
    title="WNLI: is the pronoun replaced by the right name?",
    description=(
        "Winograd schemas made into sentence pairs by GLUE. Its validation set reuses sentences of the "
        "training set by design, often with the opposite label, so comparing single texts would leave "
        "no training set: here, and only here, examples count as overlapping when both texts are the "
        "same (overlap='example'). Most methods stay at or below the majority label; read it as such."
    ),
    problem_type="classification",
    text_columns=("sentence1", "sentence2"),
    label_column="label",
    labels=("not_entailment", "entailment"),
    metrics=(ACCURACY,),
    source=_glue("wnli", 635, 71),
    license="CC BY 4.0 (the Winograd schemas, from which GLUE made it)",
    citation="levesque2012winograd",
    homepage="https://cs.nyu.edu/~davise/papers/WinogradSchemas/WS.html",
    overlap="example",
)

TASKS = (COLA, SST2, MRPC, STSB, QQP, MNLI, MNLI_MISMATCHED, QNLI, RTE, WNLI)
