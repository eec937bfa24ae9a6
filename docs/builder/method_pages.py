"""A page for every method: what it says of itself, its equation, its options and what it counts."""

from __future__ import annotations

import inspect
import re
import sys
from html import escape
from typing import Any

from jinja2 import Environment, PackageLoader

import methods
from docs.builder import equations
from docs.builder.markdown import cell, table
from methods import Method
from reports import text
from reports.site.method import blocks
from reports.site.parts.block_figure import drawing
from reports.site.parts.links import sources
from runners.measure import counting
from runners.share.catalogue import bibliography, describe_options, shown

MODELS = {"embedded": "MiniLM-L6", "bert-base": "BERT-base", "gpt2-medium": "GPT-2 medium"}
"""What is counted on: known by name, so that nothing is downloaded."""


def pages() -> dict[str, str]:
    """The pages by their paths, the list of them first."""
    found = [methods.get(name) for name in methods.names() if methods.origin(name) is None]
    return {"methods/index.md": _index(found)} | {
        f"methods/{method.name}.md": _page(method) for method in found
    }


def _index(found: list[Method[Any]]) -> str:
    rows = [
        [
            f"[`{method.name}`]({method.name}.md)",
            cell(method.card.summary),
            "yes" if method.mergeable else "no",
            "yes" if method.card.starts_at_base else "no",
            f"{method.card.learning_rate:g}",
        ]
        for method in found
    ]
    header = ["method", "what it is", "merges", "starts at the base", "learning rate"]
    return f"""# Methods

Each page has the paper, the equation, the initialisation with its source, where this form deviates from the
original and why, the options and the counts. All of it is what the method's own file says, `methods/NAME.py`.

{table(header, rows)}

*Merges*: what was trained can be folded into the base's own weights, and then costs nothing when the model is
used. *Starts at the base*: before the first step the model computes what the base does, bit by bit, with the
default options.

`paretune methods` prints the same, and `paretune methods --model MODEL` what each can do on a model
([your model](../your-model.md)). How each is compared with its reference: [parity](../parity.md).
"""


def _page(method: Method[Any]) -> str:
    card, notes = method.card, inspect.getdoc(sys.modules[type(method).__module__]) or ""
    title, _, rest = notes.partition("\n")
    links = " · ".join(f"[{name}]({address})" for name, address in sources(f"{card.source}\n{notes}"))
    facts = [
        ["paper and code", links or cell(card.source)],
        ["merges into the base", "yes" if method.mergeable else "no"],
        ["starts at the base", "yes, bit by bit" if card.starts_at_base else "no"],
        [
            "in the PEFT library",
            "yes: `paretune export --format peft`" if card.peft else "has no equal there",
        ],
        ["learning rate, default", f"{card.learning_rate:g} (AdamW)"],
        *([f"searched: `{name}`", cell(str(space))] for name, space in card.search_space.dimensions.items()),
    ]
    return "\n\n".join(
        [
            f"# {method.name}",
            f"**{_prose(title)}**",
            _notes(rest, _drawn(method)),
            "## At a glance",
            table(["", ""], facts),
            "## Options",
            _options(method),
            "## Parameters",
            _counts(method),
            "## Use it",
            _use(method),
            *_cited(method, notes),
        ]
    )


def _notes(told: str, figure: str) -> str:
    """What a docstring says below its title, with the figure behind its first formula."""
    made: list[str] = []
    for kind, lines in blocks(told):
        if kind == "formula":
            made.append(equations.html(lines))
            made, figure = [*made, *filter(None, [figure])], ""
        elif kind == "list":
            made.append("\n".join(f"* {_prose(line)}" for line in lines))
        else:
            made.append(_prose(lines[0]))
    return "\n\n".join(made)


def _prose(told: str) -> str:
    """A docstring's sentence in Markdown: code stays code, signs are signs, papers and code are linked."""
    parts = re.split(r"(``.+?``|`[^`]+`)", told)
    for place in range(0, len(parts), 2):
        plain = re.sub(r"([\\*_\[\]])", r"\\\1", escape(parts[place], quote=False))
        plain = re.sub(r"arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", plain)
        parts[place] = re.sub(
            r"\b([\w.-]+/[\w.-]+)@([0-9a-f]{7})\b", r"[\1@\2](https://github.com/\1/tree/\2)", plain
        )
    return "".join(parts)


def _drawn(method: Method[Any]) -> str:
    engine = Environment(loader=PackageLoader("reports.site", "templates"), autoescape=True, trim_blocks=True)
    engine.filters["clean"] = text.clean
    module: Any = engine.get_template("block.html.j2").module
    svg = str(module.block(drawing(method.card.places), 340))
    figure = "".join(line.strip() for line in svg.splitlines())
    return f"<figure class='acts'>{figure}<figcaption>Where it acts, at its defaults</figcaption></figure>"


def _options(method: Method[Any]) -> str:
    rows = [
        [f"`{option['name']}`", f"`{shown(option['default'])}`", cell(option["description"])]
        for option in describe_options(method)
    ]
    return table(["option", "default", "what it is"], rows) if rows else "It has none."


def _counts(method: Method[Any]) -> str:
    rows = []
    for model, name in MODELS.items():
        found = counting.count(model, method.name, {}, 2)[1]
        rows.append([name, f"{found.method:,}", f"{found.method / found.base:.3%}", f"{found.stored:,}"])
    formula = " ".join((inspect.getdoc(type(method).count) or "").split())
    header = ["model", "trained by the method", "of the base", "kept in a checkpoint"]
    return f"""In closed form: {_prose(formula)} With the default options, the task head apart:

{table(header, rows)}

```console
$ paretune count bert-base {method.name}
```"""


def _use(method: Method[Any]) -> str:
    return f"""<!-- long -->
```console
$ paretune run --task rotten_tomatoes --method {method.name} --method head --seeds 3
```

```python
import paretune

adapted = paretune.apply(model, "{method.name}")  # any PreTrainedModel of transformers, changed in place
```"""


def _cited(method: Method[Any], notes: str) -> list[str]:
    named = dict.fromkeys(re.findall(r"arXiv (\d{4}\.\d{4,5})", f"{method.card.source}\n{notes}"))
    papers = bibliography(methods)
    cited = [entry for number in named for entry in papers.values() if f"{{{number}}}" in entry]
    return ["## Cite", "```bibtex\n" + "\n\n".join(cited) + "\n```"] if cited else []
