"""Words as the COCO caption evaluation counts them: Penn Treebank tokens in lower case, less punctuation.

E2E's ROUGE-L and CIDEr are of such words. The official script makes them with a program in Java,
``edu.stanford.nlp.process.PTBTokenizer -preserveLines -lowerCase`` of CoreNLP 3.4.1, and takes out the tokens
of ``PUNCTUATIONS`` of ``pycocoevalcap/tokenizer/ptbtokenizer.py``. This is that program's treatment of
English prose in one expression: it gives the same words for all 10,208 texts of E2E's development and test
sets, as they are and with their punctuation put back, and for those of ``tests/golden/written.json``. On
other texts a word may be split elsewhere: of 302,551 in film reviews, 45 were.

The list holds ``-LRB-`` where the program, asked for lower case, writes ``-lrb-``: brackets are therefore
words of COCO's, here as there.
"""

from __future__ import annotations

import re

_ABBREVIATIONS = (
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun "
    "mr mrs ms dr drs prof rev gen col sgt capt lt gov sen rep st ste mt ft jr sr "
    "inc co corp ltd bros dept univ vs etc al ave blvd rd ph.d hon pres esq"
)
_LETTER = r"[^\W\d_]"
_PART = r"[^\W_]+(?:_[^\W_]+)*"
_WORD = rf"(?:[odl]['’])?{_PART}"
_NUMBER = r"\d+(?:[.,:/]\d+)*"
_TOKEN = re.compile(
    rf"""
      (?: https?:// | www\. ) [^\s"<>()]+ [^\s"<>().,;:!?'] # an address
    | [\w.+-]+ @ [\w-]+ (?: \.[\w-]+ )+
    | < [/!?]? [A-Za-z] [^<>]* >                            # a tag
    | can (?=not\b) | (?<=\bcan) not\b                     # two words written as one
    | (?: gon(?=na\b) | got(?=ta\b) | wan(?=na\b) | lem(?=me\b) | gim(?=me\b) )
    | ['’]t (?=is\b|was\b) | y['’] (?=all\b)
    | {_LETTER}+? (?=n['’]t\b) | n['’]t\b                  # is, n't
    | ['’] (?: s | m | d | ll | re | ve )\b                 # it, 's
    | ['’] (?: em | til | cause | \d\ds? )\b (?!['’]) | ['’]n['’] | \bol['’] | ma['’]am\b | c['’]mon\b
    | (?: {_LETTER}\. )+ {_LETTER} (?: \.(?!\w) )? (?: - {_PART} )? (?!{_LETTER})    # u.s., p.m.
    | (?: {"|".join(_ABBREVIATIONS.split())} ) \.(?!\w) | nos?\.(?=\s*\d)
    | (?-i: [A-Z]\.(?!\w) | [A-Z]+ (?: &[A-Z]+ )+ )        # J. Doe, R&B
    | {_PART} \.(?=[,;:])
    | (?= \d* [-/]? {_LETTER} | \d+ (?: - \d+ )+ ) {_WORD} (?: [-/]{_WORD} | [.!?](?=[^\W\d_]){_WORD} )*
    | [-+]? {_NUMBER} (?: - \d+ )* | \.\d+
    | @\w+ | \*+ | [?!]{{2,}} | \.+ | -+ | _+
    | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WRITTEN = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_WRITTEN |= {"£": "#", "€": "$"}
_LEFT_OUT = re.compile(r"[.\-…–—]+|['\"`‘’“”,:;?!\x80-\x9f]")


def words(text: str) -> list[str]:
    """The words of one text."""
    found = (token for token in _TOKEN.findall(text) if not _LEFT_OUT.fullmatch(token))
    return [_WRITTEN.get(token, token.lower().replace("’", "'").replace(" ", "\xa0")) for token in found]
