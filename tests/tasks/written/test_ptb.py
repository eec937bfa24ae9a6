from tasks.written import ptb


def test_words_are_those_of_the_program_in_java(official):
    assert [" ".join(ptb.words(one["text"])) for one in official["texts"]] == [
        one["words"] for one in official["texts"]
    ]
    assert len(official["texts"]) > 10


def test_a_text_without_words_has_none():
    assert [ptb.words(text) for text in ("", " \n", "... -- ?", "''")] == [[], [], [], []]
