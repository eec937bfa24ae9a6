"""Methods as the command line names them: ``lora``, ``lora:rank=4,target=query+value``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import methods
from reports import yaml_text
from reports.text import listing
from runners.plan.errors import SpecError


@dataclass(frozen=True)
class Choice:
    """A method and its options, as a contender of a comparison."""

    label: str
    method: str
    options: Mapping[str, Any]

    @property
    def listed(self) -> dict[str, Any]:
        """The options as a study file writes them."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in self.options.items()
        }


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


def parse_contender(text: str, further: Iterable[str] = ()) -> Choice:
    """Read ``NAME`` or ``NAME:KEY=VALUE,KEY=VALUE``; the items of a list are parted by ``+`` or ``,``.

    Args:
        text: the method.
        further: more of its options, each as KEY=VALUE.

    Raises:
        SpecError: it is written otherwise.
        MethodError: an unknown method, option or value.
    """
    name, colon, rest = text.partition(":")
    if colon and not rest:
        raise SpecError(f"received the method {text!r}, expected NAME or NAME:KEY=VALUE,KEY=VALUE.")
    values = {key: _listed(value) for key, value in parse_options([*_pairs(rest), *further]).items()}
    methods.get(name).options.parse(name, values)
    return Choice(label(name, values), name, values)


def parse_contenders(texts: Sequence[str], further: Sequence[str] = ()) -> list[Choice]:
    """Read several methods; options that are typed apart belong to the one that is named.

    Args:
        texts: as for :func:`parse_contender`.
        further: options, each as KEY=VALUE.

    Raises:
        SpecError: as :func:`parse_contender`, or there are options apart and not one method.
        MethodError: as :func:`parse_contender`.
    """
    if further and len(texts) != 1:
        typed = [one for one in further if "=" not in one]
        if typed:
            raise SpecError(f"received {typed[0]!r}, expected --method {typed[0]}, or KEY=VALUE of a method.")
        which = f"{len(texts)} methods" if texts else "no method"
        raise SpecError(
            f"received {listing([*further])} beside {which}, expected --method "
            f"NAME:{','.join(further)}, or one method."
        )
    return [parse_contender(text, further) for text in texts]


def _pairs(text: str) -> list[str]:
    """``a=1,b=x,y`` as ``a=1`` and ``b=x,y``: what has no key goes on with the value before."""
    found: list[str] = []
    for part in text.split(",") if text else ():
        if "=" in part or not found:
            found.append(part)
        else:
            found[-1] += f",{part}"
    return found


def _listed(value: Any) -> Any:
    """The items of a list that is typed as one word."""
    parts = re.split("[+,]", value) if isinstance(value, str) else []
    return tuple(parts) if len(parts) > 1 else value


def contenders(
    model: str, texts: Sequence[str] | None, further: Sequence[str] = (), *, also_free: bool = False
) -> list[Choice]:
    """The methods that were named, or every one whose forward pass on this model differs from the base's.

    Args:
        model: as for :func:`runners.models.skeleton`.
        texts: as :func:`parse_contenders` reads them; none or nothing for the default.
        further: options of the one method that is named.
        also_free: by default, those too whose forward pass is the base's own.

    Raises:
        SpecError, MethodError: as :func:`parse_contenders`.
        ModelError: the model cannot be found, read or reached.
    """
    if texts or further:
        return parse_contenders(texts or (), further)
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
