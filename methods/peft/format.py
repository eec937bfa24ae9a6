"""Adapter folders of the PEFT library, written and read without it: JSON and safetensors, never pickle.

Source: huggingface/peft@5d602fd (0.21), ``utils/save_and_load.py``, ``config.py``. A method that peft has an
equal of says on its card how it looks there, by a :class:`PeftForm`; what the forms are made of is in
``layers.py`` and ``tokens.py``. A method that computes something else there is refused, with the reason.

The task head is kept in peft's ``modules_to_save``. Where a folder holds none, or a part of it, what it
leaves out stays as it is in the model, and a warning names it. Options of peft that Paretune is without must
be off.

Folders that are written load in peft 0.6 and everything after (rsLoRA from 0.8, DoRA from 0.9), which
``tests/peft_versions.py`` shows. Up to 0.13 an option that a version does not know is refused, whatever its
value, so what is off or empty is left out: that is every version's default.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from methods.anatomy import Anatomy
from methods.core import Checkpoint, Form, Method, Options
from methods.errors import IncompleteHeadWarning, MethodError
from methods.peft.names import Names, Tensors, Words
from methods.peft.whole import saved_beside, whole_modules

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

_MODELS = "transformers.models."

_SAVED_UNASKED = dict.fromkeys(("SEQ_CLS", "TOKEN_CLS"), frozenset({"classifier", "score"}))
_SAVED_UNASKED["QUESTION_ANS"] = frozenset({"qa_outputs"})
"""The modules of a head that peft keeps for a task without being told."""

_SILENT = {
    *("auto_mapping", "base_model_name_or_path", "exclude_modules", "fan_in_fan_out", "inference_mode"),
    *("layers_pattern", "layers_to_transform", "megatron_core", "modules_to_save", "peft_type"),
    *("peft_version", "qalora_group_size", "revision", "target_modules", "task_type"),
}
"""Options that say nothing about the function, or nothing that the names of the tensors do not say better."""


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("r", "num_virtual_tokens"), ((int,), "a whole number")),
    **dict.fromkeys(("lora_alpha", "lora_dropout"), ((int, float), "a number")),
    **dict.fromkeys(("use_rslora", "use_dora"), ((bool,), "true or false")),
    **dict.fromkeys(("rank_pattern", "alpha_pattern"), ((dict,), "an object")),
    "modules_to_save": ((list,), "a list of names"),
}
"""The options that are read, with the types that their values may have if they have any."""


def _same(anatomy: Anatomy, task: str | None) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class PeftForm(Form):
    """One of our methods in peft's words."""

    peft_type: str
    options: type[Options]
    """Of our method."""
    to_peft: Callable[[Any, Tensors, Anatomy], Words]
    """From a checkpoint's options and its method's tensors to peft's options and tensors."""
    from_peft: Callable[[dict[str, Any], Tensors, Anatomy], Words]
    """The way back; takes the tensors that it understands out of what it is given."""
    understood: frozenset[str]
    """The options of peft's that :attr:`from_peft` understands."""
    differs: Callable[[Anatomy, str | None], str | None] = _same
    """Given a model and its task in peft's words: why peft computes another function there, None if not."""
    by_layer: bool = True
    """Whether its tensors belong to layers of the body, or to the model as a whole."""
    use_dora: bool | None = None
    """What peft's switch of that name must be, which tells two methods of one type apart; None for any."""

    def write(self, saved: Checkpoint, anatomy: Anatomy, path: str | Path) -> Path:
        """Write a method and its head; see :meth:`Form.write`.

        The weights of the model are needed for one thing: DoRA on some slices of a fused projection.
        """
        task = task_type(anatomy)
        if reason := self.differs(anatomy, task):
            raise MethodError(f"{saved.method} on {anatomy} is another function in peft: {reason}.")
        own, head = (_part(saved.tensors, f"{part}.") for part in ("method", "head"))
        config, tensors = self.to_peft(self.options.parse(saved.method, saved.options), own, anatomy)
        method_prefix, head_prefix = self._prefixes(anatomy)
        modules = _head_modules(head, anatomy)
        if not self.by_layer and modules <= _SAVED_UNASKED.get(task or "", frozenset()):
            modules = frozenset()  # until 0.13 methods of tokens had no option for more than that
        config = {
            "peft_type": self.peft_type,
            "task_type": task,
            "base_model_name_or_path": getattr(anatomy.config, "_name_or_path", None) or None,
            "inference_mode": True,
            "modules_to_save": sorted(modules),
            **config,
        }
        config = {option: value for option, value in config.items() if not _is_off(value)}
        # What belongs to no layer has its whole name.
        tensors = {n if n.startswith("base_model.") else method_prefix + n: t for n, t in tensors.items()}
        tensors |= {head_prefix + name: tensor for name, tensor in head.items()}
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
        return folder

    def holds(self, path: str | Path) -> bool:
        """Whether a folder is one of peft's, of whatever method."""
        return lies_in(path)

    def read(self, method: str, path: str | Path, anatomy: Anatomy) -> Checkpoint:
        """Read a folder that peft saved; see :meth:`Form.read`."""
        return read_folder(path, anatomy, {method: self}, depth=5)

    def is_of(self, config: Mapping[str, Any]) -> bool:
        """Whether a folder's options are those of this method."""
        switched = self.use_dora in (None, bool(config.get("use_dora")))
        return self.peft_type == config.get("peft_type") and switched

    def words(self, method: str, config: dict[str, Any], tensors: Tensors, anatomy: Anatomy) -> Words:
        """A checkpoint's options and tensors.

        Raises:
            MethodError: the folder holds something that the method does not have.
        """
        for option, (kinds, expected) in _KINDS.items():
            if (value := config.get(option)) is not None and type(value) not in kinds:
                raise MethodError(f"it sets {option} to {value!r}, expected {expected}")
        config = {option: value for option, value in config.items() if value is not None}
        for option, value in config.items():
            if option not in _SILENT | self.understood and value not in (None, False, "none", {}, []):
                raise MethodError(f"it sets {option} to {value!r}, which {method} is without")
        if reason := self.differs(anatomy, task_type(anatomy)):
            raise MethodError(f"{method} on {anatomy} is another function: {reason}")
        own: Tensors = {}
        head = {name: parameter.detach().clone() for name, parameter in anatomy.head_parameters().items()}
        method_prefix, head_prefix = self._prefixes(anatomy)
        beside = saved_beside(config.get("modules_to_save") or (), anatomy)
        for key, tensor in tensors.items():
            if (short := key.removeprefix(head_prefix)) in head or short in beside:
                head[short] = tensor
            else:
                own[key.removeprefix(method_prefix)] = tensor
        options, read = self.from_peft(config, own, anatomy)
        if own:
            raise MethodError(f"it holds {min(own)}, which {method} has no place for")
        kept = {f"method.{key}": tensor for key, tensor in read.items()}
        return options, kept | {f"head.{key}": tensor for key, tensor in head.items()}

    def left_out(self, tensors: Tensors, anatomy: Anatomy) -> list[str]:
        """The parameters of the model's task head that are not among a folder's tensors."""
        _, prefix = self._prefixes(anatomy)
        return [name for name in anatomy.head_parameters() if prefix + name not in tensors]

    def _prefixes(self, anatomy: Anatomy) -> tuple[str, str]:
        """What stands before peft's names of the method's tensors, and of the head's."""
        if self.by_layer:
            return f"base_model.model.{Names(anatomy).body}", "base_model.model."
        return "", "base_model."


def task_type(anatomy: Anatomy) -> str | None:
    """peft's name for what the model's head does; None if peft has none."""
    kind, model_class = type(anatomy.config), type(anatomy.model)
    for task, loader in _LOADERS.items():
        classes = getattr(transformers, loader)._model_mapping
        if kind in classes and classes[kind] is model_class:
            return task
    return None


def lies_in(path: str | Path) -> bool:
    """Whether a folder is one of peft's."""
    return (Path(path) / CONFIG).is_file()


def read_saved(path: str | Path, anatomy: Anatomy, methods: Mapping[str, Method[Any]]) -> Checkpoint:
    """Read a saved method, of ours or of peft's.

    Args:
        path: the folder.
        anatomy: the model that it is for.
        methods: what a folder of peft's may hold, by name.

    Raises:
        MethodError: it is neither, or as :func:`read_folder`.

    Warns:
        IncompleteHeadWarning: a folder of peft's leaves out some of the model's task head.
    """
    if lies_in(path) and not Checkpoint.lies_in(path):
        forms = {name: method.card.form for name, method in methods.items()}
        ours = {name: form for name, form in forms.items() if isinstance(form, PeftForm)}
        return read_folder(path, anatomy, ours, depth=5)
    return Checkpoint.read(path)


def read_folder(
    path: str | Path, anatomy: Anatomy, forms: Mapping[str, PeftForm], depth: int = 4
) -> Checkpoint:
    """Read a folder that peft saved.

    Args:
        path: the folder.
        anatomy: the model that it is for.
        forms: the methods that it may hold, by our names for them.
        depth: how many calls further up the one is that a warning points at.

    Raises:
        MethodError: it cannot be read, or holds something that Paretune does not have.

    Warns:
        IncompleteHeadWarning: it leaves out some of the model's task head.
    """
    folder = Path(path)
    try:
        config, tensors = _files(folder)
        _check_architecture(config, anatomy)
        name = next((name for name, form in forms.items() if form.is_of(config)), None)
        if name is None:
            known = ", ".join(dict.fromkeys(form.peft_type for form in forms.values()))
            raise MethodError(f"its peft_type is {config.get('peft_type')!r}, expected one of {known}")
        left_out = forms[name].left_out(tensors, anatomy)
        options, kept = forms[name].words(name, config, tensors, anatomy)
    except MethodError as error:
        raise MethodError(
            f"the peft folder {folder} cannot be loaded: {str(error).removesuffix('.')}."
        ) from None
    if left_out:
        warnings.warn(IncompleteHeadWarning(f"the peft folder {folder}", left_out), stacklevel=depth)
    return Checkpoint(name, options, anatomy.config.model_type, kept, f"the peft folder {folder}")


def _check_architecture(config: dict[str, Any], anatomy: Anatomy) -> None:
    """Compare the model's class with the one that a folder was saved from, which some folders name.

    Raises:
        MethodError: transformers has them in different places.
    """
    said = config.get("auto_mapping")
    if not isinstance(said, dict):
        return
    name, place = str(said.get("base_model_class")), str(said.get("parent_library"))
    if place.startswith(_MODELS) and place not in {kind.__module__ for kind in type(anatomy.model).__mro__}:
        raise MethodError(f"it was saved from a {name}, and {anatomy} is another architecture")


def _files(folder: Path) -> tuple[dict[str, Any], Tensors]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
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


def _is_off(value: object) -> bool:
    """Whether an option says that something is not used."""
    return value is None or value is False or value in ({}, [])


def _head_modules(head: Tensors, anatomy: Anatomy) -> frozenset[str]:
    """The modules of the task head; none without a head.

    Raises:
        MethodError: peft, which goes by the ends of names, would take others for it too, or not find it.
    """
    body = Names(anatomy).body
    inside = {name for name in head if body and name.startswith(body)}
    modules = frozenset(name.split(".")[0] for name in head.keys() - inside) | whole_modules(inside, anatomy)
    ends = (*modules, "classifier", "score") if modules else ()  # two that peft always adds
    found = {name for name in Names(anatomy).all if name.endswith(ends)}
    if strange := sorted(found ^ modules):
        raise MethodError(
            f"peft finds a task head by the ends of names, and {strange[0]!r} does not allow that."
        )
    return modules


def _part(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
