"""Equations of docstrings as MathML, which browsers draw themselves: no script, and no other host is asked.

A docstring writes an equation as one types it: ``h = W0 x + (alpha / r) B A x``. What is understood:

* digits or ``_name`` behind a name are its index (``W0``, ``W_up``, ``theta0_i``); Greek letters by name;
* ``/`` is a fraction of the product in front of it and the factor behind it, ``*`` a product entry by entry;
* ``^T``, ``^(1/2)``, ``sqrt(...)``, ``||...||``, ``<-``, ``...``;
* pieces of a line, two spaces or more apart, are equations of their own; what says of which shape a tensor is
  (``A: (r x in)``) is words, and so is what stands in front of a colon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from latex2mathml.converter import convert

GREEK = ("alpha", "beta", "delta", "theta", "lambda", "phi")
SYMBOLS = {"<-": r"\leftarrow ", "*": r"\odot ", "...": r"\dots ", ";": r";\,", ",": r",\,", "=": "="}
TOKEN = re.compile(
    r"\s+|<-|\.\.\.|\|\||[=+\-*/^(),;\[\]]|_\w+|\d+"
    r"|(?P<name>[A-Za-z]+)(?P<digits>\d*)(?:_(?P<index>\w+|\([^()]*\)))?(?P<prime>'*)"
)
NAMED = re.compile(rf"\b(?:{'|'.join(GREEK)})(?:\d+)?(?:_\w+)?\b|\b[A-Za-z](?:\d|_\w{{1,5}})\b|\b[hxyz]_\w\b")
"""A name in words that is written as in the equation."""


@dataclass(frozen=True)
class Piece:
    """A part of a line: an equation, or words beside it."""

    text: str
    is_equation: bool
    label: str = ""
    """Words in front of an equation, such as ``of an RMSNorm``."""


def pieces(line: str) -> list[Piece]:
    """What stands on a line of a formula, in order."""
    found = []
    for part in re.split(r"\s{2,}", line.strip()):
        if ": (" in part or not re.search(r"=|<-|\(|\[", part):
            found.append(Piece(part, is_equation=False))
            continue
        label, colon, rest = part.rpartition(": ")
        found.append(Piece(rest if colon else part, is_equation=True, label=label))
    return found


def html(lines: list[str]) -> str:
    """The formula of a docstring as HTML: a row for each line."""
    rows = []
    for line in lines:
        cells = []
        for piece in pieces(line):
            label = f"{words(piece.label)}: " if piece.label else ""
            cells.append(
                f"<span>{label}{mathml(piece.text) if piece.is_equation else words(piece.text)}</span>"
            )
        rows.append(f"<p>{''.join(cells)}</p>")
    return f'<div class="formula" tabindex="0" role="region" aria-label="Formula">{"".join(rows)}</div>'


def mathml(equation: str) -> str:
    """One equation as MathML.

    Raises:
        ValueError: it has something that is not understood; the sentence says where.
    """
    return str(convert(latex(equation), display="inline")).replace("<math ", '<math displaystyle="true" ')


def latex(equation: str) -> str:
    """One equation in LaTeX's notation; errors as :func:`mathml`."""
    return _Reader(equation).read()


def words(text: str) -> str:
    """Words beside an equation as HTML: names as in it, and a sign for the product of sizes."""
    signs = re.sub(r"(?<=\w) x (?=\w)", " × ", text)
    found, end = [], 0
    for name in NAMED.finditer(signs):
        found += [escape(signs[end : name.start()]), mathml(name[0])]
        end = name.end()
    return "".join([*found, escape(signs[end:])])


class _Reader:
    """Reads an equation from the left; a method for each kind of thing."""

    def __init__(self, equation: str) -> None:
        self.equation, self.tokens, place = equation, [], 0
        while place < len(equation):
            found = TOKEN.match(equation, place)
            if found is None:
                raise ValueError(f"{equation!r} has {equation[place:][:10]!r}, which is not understood.")
            self.tokens.append(found)
            place = found.end()
        self.at = 0

    def read(self) -> str:
        """All of it."""
        made = self._until(None)
        if self.at < len(self.tokens):
            raise ValueError(f"{self.equation!r} closes a bracket that it does not open.")
        return made

    def _next(self) -> str | None:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def _until(self, closing: str | None) -> str:
        """Terms up to a closing bracket, which is not taken."""
        done: list[str] = []
        product: list[str] = []
        while (token := self._next()) is not None and token not in (")", "]") and token != closing:
            if token == "/":
                self.at += 1
                self._space()
                product = [rf"\frac{{{_bare(product)}}}{{{_bare([self._factor()])}}}"]
            elif token in SYMBOLS or token in ("+", "-"):
                self.at += 1
                done += [*product, SYMBOLS.get(token, token)]
                product = []
            elif token.isspace():
                self.at += 1
            else:
                product.append(self._factor())
        if closing is not None and token != closing:
            raise ValueError(f"{self.equation!r} lacks a {closing!r}.")
        return " ".join([*done, *product])

    def _space(self) -> None:
        while (token := self._next()) is not None and token.isspace():
            self.at += 1

    def _factor(self) -> str:
        """A name, number or bracket, with its arguments and exponent."""
        if self.at >= len(self.tokens):
            raise ValueError(f"{self.equation!r} ends where something has to follow.")
        found = self.tokens[self.at]
        self.at += 1
        if found["name"]:
            made = self._name(found)
        elif found[0] in ("(", "["):
            made = self._bracket(found[0])
        elif found[0] == "||":
            inside = self._until("||")
            self.at += 1
            made = rf"\lVert {inside} \rVert"
        elif found[0].isdigit():
            made = found[0]
        else:
            raise ValueError(f"{self.equation!r} has {found[0]!r} where a factor is expected.")
        if (token := self._next()) is not None and re.fullmatch(r"_\w+", token):
            self.at += 1
            made += f"_{{{token[1:]}}}"
        if self._next() == "^":
            self.at += 1
            made += f"^{{{self._power()}}}"
        return made

    def _power(self) -> str:
        """An exponent: in one line, also where it is a fraction."""
        if self._next() != "(":
            power = self._factor()
            return "⊤" if power == "T" else power
        start = self.at = self.at + 1
        while self._next() not in (")", None):
            self.at += 1
        self.at += 1
        return "".join(token[0] for token in self.tokens[start : self.at - 1])

    def _bracket(self, opening: str) -> str:
        closing = ")" if opening == "(" else "]"
        inside = self._until(closing)
        self.at += 1
        if opening == "(" and re.fullmatch(r"\\frac\{[^{}]*\}\{[^{}]*\}", inside) and self._next() != "^":
            return inside  # a fraction needs no bracket around it
        return rf"\left{opening} {inside} \right{closing}"

    def _name(self, found: re.Match[str]) -> str:
        name, index = found["name"], (found["index"] or "").strip("()")
        if name == "sqrt" and self._next() == "(":
            self.at += 1
            inside = self._until(")")
            self.at += 1
            return rf"\sqrt{{{inside}}}"
        made = f"\\{name} " if name in GREEK else name if len(name) == 1 else rf"\mathrm{{{name}}}"
        indices = [*([found["digits"]] if found["digits"] else [])]
        if index:
            indices.append(index if len(index) == 1 or not index.isalpha() else rf"\mathrm{{{index}}}")
        if indices:
            made += rf"_{{{','.join(indices)}}}"
        made += "'" * len(found["prime"])
        if self._next() == "(" and (len(name) > 1 or not found["index"]):  # a function and its arguments
            self.at += 1
            inside = self._until(")")
            self.at += 1
            made += rf"\left( {inside} \right)"
        return made


def _bare(factors: list[str]) -> str:
    """A product as part of a fraction: without the bracket around it, if that is all."""
    made = " ".join(factors)
    if len(factors) == 1 and made.startswith(r"\left( ") and made.endswith(r" \right)"):
        inside = made[len(r"\left( ") : -len(r" \right)")]
        if inside.count(r"\left") == inside.count(r"\right") and _closes_last(inside):
            return inside
    return made


def _closes_last(inside: str) -> bool:
    """Whether every bracket that is closed inside was opened inside."""
    depth = 0
    for side in re.findall(r"\\(left|right)[()\[\]]", inside):
        depth += 1 if side == "left" else -1
        if depth < 0:
            return False
    return True
