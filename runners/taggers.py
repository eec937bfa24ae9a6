"""Which models transformers has under a head that labels every token."""

from __future__ import annotations

from typing import Any

from transformers import AutoModelForTokenClassification

from runners.errors import ModelError


def maker(name: str, settings: Any) -> Any:
    """What makes such a model.

    Args:
        name: of the model, for people.
        settings: its configuration.

    Raises:
        ModelError: there is no such head for it.
    """
    if type(settings) not in AutoModelForTokenClassification._model_mapping:
        raise ModelError(
            f"the model {name!r} ({settings.model_type}) has no head in transformers that labels every word: "
            "expected another one, such as BERT, RoBERTa, DeBERTa or Llama."
        )
    return AutoModelForTokenClassification
