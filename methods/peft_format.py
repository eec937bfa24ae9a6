"""Adapter folders of the PEFT library, written and read without it: JSON and safetensors, never pickle.

Source: huggingface/peft@5d602fd (0.21), ``utils/save_and_load.py``, ``config.py``. :data:`FORMS` names what
peft has an equal of; how each looks in peft's words is in ``peft_layers.py`` and ``peft_tokens.py``. A method
that computes something else there is refused, with the reason.

The task head is kept in peft's ``modules_to_save``. Where a folder holds none, or a part of it, what it
leaves out stays as it is in the model. Options of peft that Paretune is without must be off.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from methods import peft_layers, peft_tokens
from methods.anatomy import Anatomy
from methods.checkpoint import Checkpoint
from methods.errors import MethodError
from methods.peft_layers import Names, Tensors, Words

CONFIG, TENSORS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"

_LOADERS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "FEATURE_EXTRACTION": "AutoModel",
}
"""peft's task types, and transformers' class that makes a model for each."""

_SILENT = {
    *("auto_mapping", "base_model_name_or_path", "exclude_modules", "fan_in_fan_out", "inference_mode"),
    *("layers_pattern", "layers_to_transform", "megatron_core", "modules_to_save", "peft_type"),
    *("peft_version", "qalora_group_size", "revision", "target_modules", "task_type"),
}
"""Options that say nothing about the function, or nothing that the names of the tensors do not say better."""


def _same(anatomy: Anatomy, task: str | None) -> str | None:
    return None


@dataclass(frozen=True)
class Form:
    """One of our methods in peft's words."""

    peft_type: str
    write: Callable[[Checkpoint, Tensors, Anatomy], Words]
    """From a checkpoint and its method's tensors to peft's options and tensors."""
    read: Callable[[dict[str, Any], Tensors, Anatomy], Words]
    """The way back; takes the tensors that it understands out of what it is given."""
    options: set[str]
    """The options of peft's that :attr:`read` understands."""
    differs: Callable[[Anatomy, str | None], str | None] = _same
    """Given a model and its task in peft's words: why peft computes another function there, None if not."""
    by_layer: bool = True
    """Whether its tensors belong to layers of the body, or to the model as a whole."""

    def prefixes(self, anatomy: Anatomy) -> tuple[str, str]:
        """What stands before peft's names of the method's tensors, and of the head's."""
        if self.by_layer:
            return f"base_model.model.{Names(anatomy).body}", "base_model.model."
        return "", "base_model."


_LOW_RANK = Form("LORA", peft_layers.write_low_rank, peft_layers.read_low_rank, peft_layers.LORA_OPTIONS)
FORMS: dict[str, Form] = {
    "lora": _LOW_RANK,
    "dora": _LOW_RANK,
    "ia3": Form("IA3", peft_layers.write_ia3, peft_layers.read_ia3, peft_layers.IA3_OPTIONS),
    "prefix": Form(
        "PREFIX_TUNING",
        *(peft_tokens.write_prefix, peft_tokens.read_prefix, peft_tokens.OPTIONS, peft_tokens.prefix_differs),
        by_layer=False,
    ),
    "prompt": Form(
        "PROMPT_TUNING",
        *(peft_tokens.write_prompt, peft_tokens.read_prompt, peft_tokens.OPTIONS, peft_tokens.prompt_differs),
        by_layer=False,
    ),
}
"""Every method that peft has an equal of."""


def task_type(anatomy: Anatomy) -> str | None:
    """peft's name for what the model's head does; None if peft has none."""
    kind, model_class = type(anatomy.config), type(anatomy.model)
    for task, loader in _LOADERS.items():
        classes = getattr(transformers, loader)._model_mapping
        if kind in classes and classes[kind] is model_class:
            return task
    return None


def write(saved: Checkpoint, anatomy: Anatomy, path: str | Path) -> Path:
    """Write a method and its head as a folder that peft loads; return the folder.

    Args:
        saved: what is written.
        anatomy: the model it fits, with a method in it or without. Its weights are needed for one thing: DoRA
            on some slices of a fused projection.
        path: the folder, made if need be.

    Raises:
        MethodError: peft has no equal of the method, or computes another function on this model.
    """
    form = FORMS.get(saved.method)
    if form is None:
        raise MethodError(f"peft has no equal of {saved.method}: it has {', '.join(FORMS)}.")
    task = task_type(anatomy)
    if reason := form.differs(anatomy, task):
        raise MethodError(f"{saved.method} on {anatomy} is another function in peft: {reason}.")
    own = {name.removeprefix("method."): t for name, t in saved.tensors.items() if name.startswith("method.")}
    head = {name.removeprefix("head."): t for name, t in saved.tensors.items() if name.startswith("head.")}
    config, tensors = form.write(saved, own, anatomy)
    method_prefix, head_prefix = form.prefixes(anatomy)
    config = {
        "peft_type": form.peft_type,
        "task_type": task,
        "base_model_name_or_path": getattr(anatomy.config, "_name_or_path", None) or None,
        "inference_mode": True,
        "modules_to_save": _head_modules(head, anatomy),
        **config,
    }
    tensors = {method_prefix + name: tensor for name, tensor in tensors.items()}
    tensors |= {head_prefix + name: tensor for name, tensor in head.items()}
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
    return folder


def _head_modules(head: Tensors, anatomy: Anatomy) -> list[str] | None:
    """The modules of the task head; None without a head.

    Raises:
        MethodError: peft, which goes by the ends of names, would take others for it too, or not find it.
    """
    modules = sorted({name.split(".")[0] for name in head})
    ends = (*modules, "classifier", "score") if modules else ()  # two that peft always adds
    found = {name for name in Names(anatomy).all if name.endswith(ends)}
    if strange := sorted(found ^ set(modules)):
        raise MethodError(
            f"peft finds a task head by the ends of names, and {strange[0]!r} does not allow that."
        )
    return modules or None


def holds(path: str | Path) -> bool:
    """Whether a folder is one of peft's."""
    return (Path(path) / CONFIG).is_file()


def read(path: str | Path, anatomy: Anatomy) -> Checkpoint:
    """Read a folder that peft saved.

    Args:
        path: the folder.
        anatomy: the model that it is for. It says what roles the adapted layers play, and keeps the parts of
            its head that the folder does not hold.

    Raises:
        MethodError: it cannot be read, or holds something that Paretune does not have.
    """
    folder = Path(path)
    try:
        config, tensors = _files(folder)
        name = _method(config)
        return Checkpoint(name, *_words(name, config, tensors, anatomy), f"the peft folder {folder}")
    except MethodError as error:
        raise MethodError(
            f"the peft folder {folder} cannot be loaded: {str(error).removesuffix('.')}."
        ) from None


def _words(name: str, config: dict[str, Any], tensors: Tensors, anatomy: Anatomy) -> tuple[Any, str, Tensors]:
    """A checkpoint's options, architecture and tensors."""
    form = FORMS[name]
    for option, value in config.items():
        if option not in _SILENT | form.options and value not in (None, False, "none", {}, []):
            raise MethodError(f"it sets {option} to {value!r}, which {name} is without")
    if reason := form.differs(anatomy, task_type(anatomy)):
        raise MethodError(f"{name} on {anatomy} is another function: {reason}")
    own: Tensors = {}
    head = {name: parameter.detach().clone() for name, parameter in anatomy.head_parameters().items()}
    method_prefix, head_prefix = form.prefixes(anatomy)
    for key, tensor in tensors.items():
        if (short := key.removeprefix(head_prefix)) in head:
            head[short] = tensor
        else:
            own[key.removeprefix(method_prefix)] = tensor
    options, read = form.read(config, own, anatomy)
    if own:
        raise MethodError(f"it holds {min(own)}, which {name} has no place for")
    kept = {f"method.{key}": tensor for key, tensor in read.items()}
    kept |= {f"head.{key}": tensor for key, tensor in head.items()}
    return options, anatomy.config.model_type, kept


def _files(folder: Path) -> tuple[dict[str, Any], Tensors]:
    try:
        config = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError) as error:
        raise MethodError(f"{CONFIG} is not readable JSON ({error})") from None
    if not isinstance(config, dict):
        raise MethodError(f"{CONFIG} holds a {type(config).__name__}, expected an object")
    if not (folder / TENSORS).exists() and (folder / PICKLE).exists():
        raise MethodError(
            f"its tensors are pickled in {PICKLE}, which can run code: save them as safetensors"
        )
    try:
        return config, load_file(folder / TENSORS)
    except (OSError, SafetensorError) as error:
        raise MethodError(f"{TENSORS} is not readable ({error})") from None


def _method(config: dict[str, Any]) -> str:
    """The name of our method."""
    kind = config.get("peft_type")
    if kind == _LOW_RANK.peft_type:
        return "dora" if config.get("use_dora") else "lora"
    for name, form in FORMS.items():
        if form.peft_type == kind:
            return name
    known = ", ".join(dict.fromkeys(form.peft_type for form in FORMS.values()))
    raise MethodError(f"its peft_type is {kind!r}, and those that Paretune has are {known}")
