"""Methods as the command line names them: ``lora``, ``lora:rank=4,target=query+value``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import methods
from reports import yaml_text
from runners.plan.errors import SpecError


@dataclass(frozen=True)
class Choice:
    """A method and its options, as a contender of a comparison."""

    label: str
    method: str
    options: Mapping[str, Any]


def parse_option(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``; the value as YAML has it, and ``none``.

    Raises:
        SpecError: there is no ``=``, or the value cannot be read.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SpecError(f"received the option {text!r}, expected KEY=VALUE, such as rank=8.")
    if value.lower() in ("none", "null"):
        return key, None
    try:
        return key, yaml_text.load(value)
    except yaml_text.YamlError:
        raise SpecError(f"the value of {text!r} cannot be read, expected a number, a word or none.") from None


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Read several of them.

    Raises:
        SpecError: as :func:`parse_option`, or a key comes twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, value = parse_option(text)
        if key in found:
            raise SpecError(
                f"received the option {key!r} twice, the second time as {text!r}, expected it once."
            )
        found[key] = value
    return found


def parse_contender(text: str) -> Choice:
    """Read ``NAME`` or ``NAME:KEY=VALUE,KEY=VALUE``; a list is written with ``+``.

    Raises:
        SpecError: it is written otherwise.
        MethodError: an unknown method, option or value.
    """
    name, colon, rest = text.partition(":")
    if colon and not rest:
        raise SpecError(f"received the method {text!r}, expected NAME or NAME:KEY=VALUE,KEY=VALUE.")
    options = parse_options(rest.split(",")) if rest else {}
    values = {k: tuple(v.split("+")) if isinstance(v, str) and "+" in v else v for k, v in options.items()}
    methods.get(name).options.parse(name, values)
    return Choice(label(name, values), name, values)


def contenders(model: str, texts: Sequence[str] | None, *, also_free: bool = False) -> list[Choice]:
    """The methods that were named, or every one whose forward pass on this model differs from the base's.

    Args:
        model: as for :func:`runners.models.skeleton`.
        texts: as :func:`parse_contender` reads them; none or nothing for the default.
        also_free: by default, those too whose forward pass is the base's own.

    Raises:
        SpecError, MethodError: as :func:`parse_contender`.
        ModelError: the model cannot be found, read or reached.
    """
    if texts:
        return [parse_contender(text) for text in texts]
    from runners import models

    found = []
    for name in methods.names():
        try:
            adapted = methods.apply(models.skeleton(model), name)
        except methods.MethodError:  # a method that this architecture cannot carry
            continue
        if also_free or adapted.changes_the_forward_pass:
            found.append(Choice(name, name, {}))
    return found


def label(name: str, options: Mapping[str, Any]) -> str:
    """A short name for people: the method and the options that were given."""
    told = [
        f"{key}={'+'.join(map(str, v)) if isinstance(v, list | tuple) else v}" for key, v in options.items()
    ]
    return " ".join([name, *told])
