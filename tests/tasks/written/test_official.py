"""The numbers of the official programs on the same texts, and what must hold of any texts."""

import math
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tasks
from tasks import needs
from tasks.own import preparing
from tasks.written import answers, coco, meteor, mteval

SCORES = {"bleu": mteval.bleu, "nist": mteval.nist, "rouge_l": coco.rouge_l, "cider": coco.cider}
EVERY = pytest.mark.parametrize("name", SCORES)
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", ",", "5-star", "it's", "£20"]), max_size=12).map(
    " ".join
)
CORPUS = st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=5)
few = settings(max_examples=25, deadline=None)


@EVERY
def test_made_texts_have_the_official_number(official, name):
    found = SCORES[name](official["predictions"], official["references"])
    assert found == pytest.approx(official["scores"][name], rel=1e-12)


@pytest.mark.skipif(needs.missing(["meteor"]) is not None, reason="pycocoevalcap or Java is not installed")
def test_meteor_is_the_official_programs(official):
    found = meteor.meteor(official["predictions"], official["references"])
    assert found == pytest.approx(official["scores"]["meteor"], rel=1e-12)
    assert meteor.meteor(["", "|||", "the pub is"], [["a ||| b c"], ["d"], ["the pub is"]]) < 1


def test_meteor_is_refused_before_any_data_is_read_where_the_program_is_not():
    lacks = needs.missing(["bleu", "meteor"])
    assert needs.missing(["bleu"]) is None
    if lacks is None:
        pytest.skip("pycocoevalcap and Java are installed")
    said = {
        "name": "x",
        "train": "none.csv",
        "report": "none.csv",
        "target": "y",
        "metric": ["bleu", "meteor"],
    }
    with pytest.raises(
        tasks.DataError, match=r"^task 'x': meteor is the official program in Java, and needs "
    ):
        preparing.resolve(said)


def test_e2es_references_scored_against_each_other_have_the_official_numbers(official, e2e_folder):
    import pyarrow.parquet as pq

    several = defaultdict(list)
    for row in pq.read_table(e2e_folder / "test-00000-of-00001.parquet").to_pylist():
        several[row["meaning_representation"]].append(row["human_reference"])
    kept = [texts for texts in several.values() if len(texts) > 1][:200]
    found = {
        name: score([texts[0] for texts in kept], [texts[1:] for texts in kept])
        for name, score in SCORES.items()
    }
    assert found == pytest.approx({name: official["e2e_first_reference"][name] for name in SCORES}, rel=1e-12)


@few
@given(CORPUS)
def test_every_score_has_its_range_and_ignores_the_order_of_texts_and_references(corpus):
    texts, references = [list(part) for part in zip(*corpus, strict=True)]
    turned = texts[::-1], [several[::-1] for several in references[::-1]]
    for name, score in SCORES.items():
        found = score(texts, references)
        assert 0 <= found <= {"bleu": 1, "rouge_l": 1, "cider": 10 + 1e-9}.get(name, math.inf)
        assert score(*turned) == pytest.approx(found, abs=1e-9)


@EVERY
def test_a_reference_itself_is_best_and_nothing_is_worst(name):
    texts = ["the pub is near the river", "a cheap coffee shop in the centre", "it serves no food at all"]
    best = SCORES[name](texts, [[text] for text in texts])
    if name in ("bleu", "rouge_l"):
        assert best == pytest.approx(1)
        assert SCORES[name](texts, [["another one", text] for text in texts]) == pytest.approx(1)
    assert SCORES[name]([f"{text} and more" for text in texts], [[text] for text in texts]) < best
    assert SCORES[name]([""] * 3, [[text] for text in texts]) == 0
    assert SCORES[name](["x y z"] * 3, [[text] for text in texts]) == 0


def test_cider_of_the_only_reference_is_ten():
    texts = ["the pub is near a river", "cheap coffee shop in that centre"]
    assert coco.cider(texts, [[text] for text in texts]) == pytest.approx(10)


@few
@given(st.lists(st.integers(0, 4), max_size=15), st.lists(st.integers(0, 4), max_size=15))
def test_the_longest_common_subsequence_is_that_of_the_table(one, other):
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
    assert coco._common([str(word) for word in one], [str(word) for word in other]) == table[-1][-1]


def test_nist_is_doddingtons_equation_on_a_text_worked_by_hand():
    # References: "a b a c" and "d": five words, of which a counts 2 and b, c, d 1 each. The text "a b x" hits
    # a (log2 5/2 bits), b (log2 5) and "a b" (log2 2/1); it is longer than the mean of 4 and 1 words.
    told = (math.log2(5 / 2) + math.log2(5)) / 3 + math.log2(2) / 2
    assert mteval.nist(["a b x"], [["a b a c", "d"]]) == pytest.approx(told)
    # Two thirds of the reference's length: half of it.
    told = math.log2(3) * 2 / 2 + 0 / 1
    assert mteval.nist(["a b"], [["a b c"]]) == pytest.approx(told / 2)


def test_bleu_is_papinenis_equation_on_a_text_worked_by_hand():
    # 5 of 6 words, 3 of 5 pairs, 2 of 4, 1 of 3; as long as the nearest reference.
    found = mteval.bleu(["The cat sat on the rug"], [["the cat sat on a rug", "the cat"]])
    assert found == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)


@pytest.mark.parametrize(
    ("solution", "number"),
    [
        # What dataset.py of openai/grade-school-math takes for the answer.
        ("She has 16 - 3 = <<16-3=13>>13.\n#### 18", "18"),
        ("#### 1,234", "1234"),
        ("#### -3.5", "-3.5"),
        ("#### 18\n#### 19", "18"),
        ("####18", None),
        ("The answer is 18.", None),
        ("#### $18", None),
        ("", None),
    ],
)
def test_the_final_number_is_read_as_the_official_script_reads_it(solution, number):
    assert answers.final(solution) == number
    expected = 1.0 if number == "18" else 0.0
    assert answers.answer_match([solution], [["x\n#### 18"]]) == expected


def test_two_solutions_without_a_number_do_not_agree():
    assert answers.answer_match(["none", "#### 5"], [["none"], ["#### 5.0", "#### 5"]]) == 0.5


def test_an_exact_match_ignores_white_space_alone():
    assert answers.exact_match([" a  b\n", "A b", ""], [["x", "a b"], ["a b"], [""]]) == pytest.approx(2 / 3)
