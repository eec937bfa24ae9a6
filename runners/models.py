"""From a model's name to weights, tokenizer and revision: a hub id, a local folder, or ``embedded``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForSpeechSeq2Seq,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from methods.anatomy import Anatomy
from methods.anatomy.layouts import LAYOUTS
from runners import device, heads, numerics, padding, taggers, vocabulary, weights
from runners.errors import ModelError
from runners.known import architectures, location, unreadable
from runners.numerics import Numerics, NumericsError
from tasks.spec import TaskSpec

TEXT_PART = {r"^(model\.)?language_model\.(model\.)?": "model."}
"""How a checkpoint of several models names the weights of its text part, and how that names them itself."""


def config(name: str) -> Any:
    """Read a model's configuration, without its weights.

    Raises:
        ModelError: it cannot be found, read or reached.
    """
    return _fetch(name, AutoConfig.from_pretrained)


def tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Read a model's tokenizer, and let it pad as the model can be padded.

    What it pads with is the model's own padding token where it knows that one, and moves no answer: attention
    masks say what is padding.

    Raises:
        ModelError: it cannot be found, read or reached, or the model's answers depend on padding.
    """
    found: PreTrainedTokenizerBase = _fetch(name, AutoTokenizer.from_pretrained)
    settings = settings_of(name)
    if (fault := vocabulary.fault_of(found, settings)) is not None:
        raise ModelError(f"the tokenizer of {name!r} cannot be used: {fault}.")
    found.pad_token, found.padding_side = vocabulary.token_for(found, settings), padding_side(name)
    return found


@lru_cache(maxsize=8)
def padding_side(name: str) -> padding.Side:
    """The side on which texts may be padded for a model, see :func:`runners.padding.side_of`.

    Raises:
        ModelError: its answers depend on padding either way.
    """
    kind = settings_of(name).model_type
    side = "right" if kind in LAYOUTS else padding.side_of(skeleton(name))
    if side is None:
        raise ModelError(
            f"the answers of {name!r} ({kind}) depend on the padding beside a text, so that a batch is not "
            "its rows one by one: choose another model."
        )
    return side


def pretrained(name: str, task: TaskSpec, stored: Numerics | None = None, *, writes: bool) -> PreTrainedModel:
    """What a trial loads: a :func:`language_model` where answers are written, else a :func:`classifier`."""
    return language_model(name, stored) if writes else classifier(name, task, stored)


def classifier(name: str, task: TaskSpec, stored: Numerics | None = None) -> PreTrainedModel:
    """Load pretrained weights under a task head, in evaluation mode: for a text, or for each of its tokens.

    The head is drawn from the global generator (seed it first), or is the checkpoint's own where its labels
    are the task's, see :func:`runners.heads.settle`. A model of several parts is its text part.

    Args:
        name: as for :func:`location`.
        task: the task of the head.
        stored: how the numbers are stored and computed; None for float32 throughout.

    Raises:
        ModelError: the weights cannot be found, read or reached, are not all there, or cannot be stored so;
            or there is no such head.
    """
    stored = stored or Numerics()
    settings, regression = settings_of(name), task.problem_type == "regression"
    kind = taggers.maker(name, settings) if task.is_tagged else AutoModelForSequenceClassification
    labels = dict(getattr(settings, "id2label", None) or {})
    settings.num_labels = task.num_labels
    settings.problem_type = "regression" if regression else "single_label_classification"
    head = numerics.head_modules(skeleton(name, tagged=task.is_tagged)) if stored.quantization else ()
    state = torch.get_rng_state()
    loading = stored.loading(head)
    model, missing, of_another_size = _weights(name, kind, settings, **loading)
    if stored.quantization:
        numerics.whole(model, missing | of_another_size)
    heads.settle(model, missing, of_another_size, labels, task.labels, state)
    return computing(name, padding.read_by_mask(uncached(model)), stored)


def language_model(name: str, stored: Numerics | None = None) -> PreTrainedModel:
    """Load a causal model or an encoder-decoder with the head that writes text, in evaluation mode.

    Args:
        name: as for :func:`location`.
        stored: how the numbers are stored and computed; None for float32 throughout.

    Raises:
        ModelError: it writes no text, its weights cannot be found, read or reached, or its head is not there.
    """
    empty, stored, settings = writing_skeleton(name), stored or Numerics(), settings_of(name)
    head = numerics.head_modules(empty) if stored.quantization else ()
    pair = getattr(settings, "is_encoder_decoder", False)
    kind = AutoModelForSeq2SeqLM if pair else AutoModelForCausalLM
    model, *absent = _weights(name, kind, settings, **stored.loading(head))
    if missing := frozenset().union(*absent):  # an output layer drawn at random would be trained by no method
        raise ModelError(
            f"the checkpoint {name!r} has no weights of {sorted(missing)[0]!r}, so that it cannot write: "
            f"expected one of a {type(model).__name__}."
        )
    return computing(name, uncached(model), stored)


def writing_skeleton(name: str) -> PreTrainedModel:
    """The model that :func:`language_model` loads, on the meta device.

    Raises:
        ModelError: it writes no text, or its configuration cannot be read.
    """
    with quiet():  # of an encoder transformers says that it is none
        found = writer(name)
    if found is None:
        raise ModelError(
            f"the model {name!r} ({settings_of(name).model_type}) writes no text: expected a causal model, "
            "such as GPT-2 or Llama, or an encoder-decoder, such as T5 or BART."
        )
    return found


def _weights(
    name: str, kind: Any, settings: Any, **loading: Any
) -> tuple[PreTrainedModel, frozenset[str], frozenset[str]]:
    """Load a model in evaluation mode; with it come the names of the parameters that its checkpoint lacks.

    First those that are not there, then those that have another size.

    Raises:
        ModelError: the checkpoint lacks weights inside of blocks.
    """
    whole = type(settings) is type(config(name))
    options = {"config": settings, "key_mapping": None if whole else TEXT_PART}
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True, **loading}
    model, told = _fetch(name, kind.from_pretrained, **options)
    if lacking := heads.lacking(model, told):
        raise ModelError(
            f"the checkpoint {name!r} is not one of a {type(model).__name__}: {len(lacking)} weights of its "
            f"blocks are missing or have other sizes, among them {lacking[0]!r}."
        )
    other = frozenset(parameter for parameter, *_ in told["mismatched_keys"])
    return model.eval(), frozenset(told["missing_keys"]) - other, other


def computing(name: str, model: PreTrainedModel, stored: Numerics) -> PreTrainedModel:
    """Let a model compute as asked; return it.

    Raises:
        ModelError: it cannot.
    """
    try:
        return stored.apply(model)
    except NumericsError as error:
        raise ModelError(f"the model {name!r}: {error}.") from None


def uncached(model: PreTrainedModel) -> PreTrainedModel:
    """Let a model fill no cache of keys and values where nobody reads it; ``generate()`` does. Return it."""
    for config in (model.config, model.config.get_text_config()):
        if hasattr(config, "use_cache"):
            config.use_cache = False
    return model


def skeleton(
    name: str, num_labels: int = 2, class_name: str | None = None, *, tagged: bool = False
) -> PreTrainedModel:
    """Build the model from its configuration on torch's meta device: shapes without memory.

    Args:
        name: as for :func:`location`, or one of :func:`architectures`.
        num_labels: outputs of the task head, where the architecture has a classifier.
        class_name: a model class of transformers; None for the classifier, or the body where there is none.
        tagged: whether the classifier is one of every token.

    Raises:
        ModelError: the configuration cannot be read, or there is no such class for it.
    """
    settings = settings_of(name)
    settings.num_labels = num_labels
    maker: Any
    if tagged:
        maker = taggers.maker(name, settings).from_config
    elif class_name is None:
        maker = _classifier_or_body(settings).from_config
    else:
        maker = getattr(transformers, class_name, None)
        if not (isinstance(maker, type) and issubclass(maker, PreTrainedModel)):
            raise ModelError(f"transformers has no model class {class_name!r}.")
        if maker.config_class is not type(settings):
            raise ModelError(
                f"the model {name!r} is a {settings.model_type}, expected one for a {class_name}."
            )
    with torch.device("meta"):
        return _padded(maker(settings))


def writer(name: str) -> PreTrainedModel | None:
    """The model with the head that writes text, on the meta device; None where there is none.

    An encoder has none, though transformers has a class that makes a language model of it.

    Raises:
        ModelError: the configuration cannot be read.
    """
    settings = settings_of(name)
    makers: tuple[Any, ...] = (AutoModelForCausalLM,)
    if getattr(settings, "is_encoder_decoder", False):
        makers = (AutoModelForSeq2SeqLM, AutoModelForSpeechSeq2Seq)
    for maker in makers:
        if type(settings) in maker._model_mapping:
            with torch.device("meta"):
                model: PreTrainedModel = maker.from_config(settings)
            pair = getattr(settings, "is_encoder_decoder", False)
            return model if pair or Anatomy(model).is_causal else None
    return None


def served(name: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load the model as it serves requests, in evaluation mode.

    A lone causal stack is a language model, anything else classifies. One of :func:`architectures` gets
    random weights (seed the global generator first) and needs no download.

    Raises:
        ModelError: it cannot be found, read or reached.
    """
    settings = settings_of(name)
    kind = AutoModelForCausalLM if is_causal(name) else _classifier_or_body(settings)
    if name in architectures():
        return kind.from_config(settings, dtype=dtype).eval()
    return _weights(name, kind, settings, dtype=dtype)[0]


def is_causal(name: str) -> bool:
    """Whether the model is a causal stack and nothing else: one that writes text token by token."""
    return Anatomy(skeleton(name)).is_causal


def settings_of(name: str) -> Any:
    """The configuration; of a model of several parts that of the one which reads text, if it can classify."""
    known = architectures().get(name)
    settings = config(name) if known is None else AutoConfig.for_model(**known)
    with suppress(ValueError):  # transformers' answer where several parts read text
        text = settings.get_text_config()
        if type(text) in AutoModelForSequenceClassification._model_mapping:
            return text
    return settings


def _padded(model: PreTrainedModel) -> PreTrainedModel:
    """The model with a padding token, without which a classifier on a decoder takes no batch."""
    if getattr(model.config, "pad_token_id", None) is None:
        model.config.pad_token_id = 0
    return padding.read_by_mask(model)


def _classifier_or_body(settings: Any) -> Any:
    makers: tuple[Any, ...] = (AutoModelForSequenceClassification, AutoModelForImageClassification)
    return next((maker for maker in makers if type(settings) in maker._model_mapping), AutoModel)


def revision(name: str) -> str:
    """The hub commit of the weights, or ``sha256:`` and the hash of a local model's weight files."""
    folder = Path(location(name))
    if not folder.is_dir():
        return str(getattr(config(name), "_commit_hash", None) or "unknown")
    return f"sha256:{weights.of_weights(folder)}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing to the terminal."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _fetch(name: str, read: Any, **options: Any) -> Any:
    where = location(name)
    try:
        with quiet():  # its progress bar and its report of the fresh head would break up the live table
            return read(where, **options)
    except (
        OSError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    ) as error:
        raise unreadable(name, error) from None
    except Exception as error:  # whatever a broken file of a model ends in
        if device.is_out_of_memory(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ModelError(f"the model {name!r} cannot be used: {kind}{reason}") from None
