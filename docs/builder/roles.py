"""Roles of docstrings (``:func:`names```) as plain code, for pages in Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class Roles(Extension):
    """Take the roles out of every docstring before it is shown."""

    def on_instance(self, *, obj: Object, **kwargs: Any) -> None:
        """Change the docstring of what was read."""
        if obj.docstring is not None:
            obj.docstring.value = plain(obj.docstring.value)


def plain(text: str) -> str:
    """Roles as code: ``:class:`~a.b.C``` is `C`."""
    return re.sub(r":(?:class|func|data|meth|attr|mod|exc):`~?(?:[\w.]*\.(?=\w+`))?([^`]+)`", r"`\1`", text)
