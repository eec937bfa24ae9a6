"""YAML as a careful reader has it: a key is given once, and a number is what it looks like.

PyYAML keeps the last of two equal keys without a word, and reads numbers by YAML 1.1: `1e-3` is a word to
it, `010` is 8 and `1:30` is 90. Here a key given twice is a fault, and numbers are those of the core schema
of YAML 1.2: 0.001, 10, and a word. A date is a word too.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, ScalarNode

_MERGE = "tag:yaml.org,2002:merge"
_INT, _FLOAT, _DATE = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))
_WHOLE = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_REAL = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
_BASES = {"0o": 8, "0x": 16}


class YamlError(ValueError):
    """A text is not the YAML that it should be; the message follows its name, as in ``is not valid YAML``."""


def load(text: str) -> Any:
    """Read one YAML document, as plain data.

    Raises:
        YamlError: it is no YAML, or gives a key of a mapping twice; with the lines.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise YamlError(f"is not valid YAML{where}: {problem}.") from None
    except RecursionError:
        raise YamlError("is not valid YAML: it is nested too deeply.") from None
    except (ValueError, KeyError, AttributeError):  # more digits than Python reads, `!!bool` before a word
        raise YamlError("is not valid YAML: it holds a value that cannot be read.") from None


def dump(value: Any) -> str:
    """Plain data as a YAML document that :func:`load` reads as the same data."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None)


class _Loader(yaml.SafeLoader):
    """Looks at the keys of a mapping before ``<<`` brings in those of others, which may come again."""

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        """A mapping as it is written."""
        node: MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode) or key.tag == _MERGE:
                continue
            name = key.tag, key.value
            if name in lines:
                problem = f"the key {key.value!r} was given at line {lines[name]} already, expected once"
                raise ConstructorError(None, None, problem, key.start_mark)
            lines[name] = key.start_mark.line + 1
        return node


class _Dumper(yaml.SafeDumper):
    """Puts into quotes what the loader would not take for a text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whether a value that comes again is written again: always."""
        return True


def _whole(loader: yaml.SafeLoader, node: ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, _BASES.get(text[:2], 10))


def _real(loader: yaml.SafeLoader, node: ScalarNode) -> float:
    return float(re.sub(r"\.(?=[in])", "", loader.construct_scalar(node).lower()))


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in (_INT, _FLOAT, _DATE)]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in ((_INT, _WHOLE), (_FLOAT, _REAL)):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})$"), list("-+.0123456789"))
_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
_Loader.add_constructor(_INT, _whole)
_Loader.add_constructor(_FLOAT, _real)
