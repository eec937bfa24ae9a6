"""Same weights in, same numbers out: outputs and the gradient of every trained tensor, in float64, to 1e-10.

The reference is peft; where peft computes something else than the method is, it is the equation, written out
here, and the test says what peft does instead. Each test records its largest deviation for the parity report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import (
    IA3Config,
    LNTuningConfig,
    LoraConfig,
    PrefixTuningConfig,
    PromptTuningConfig,
    TaskType,
    VeraConfig,
    get_peft_model,
)
from peft.optimizers import create_loraplus_optimizer
from torch import Tensor
from torch.func import functional_call

import methods
from methods.core import Wrap
from runners.optimisation import optimizer

from .conftest import text, tiny
from .parity import Record, agree, deviation

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # peft asks for what transformers renamed

Pairs = dict[str, tuple[Tensor, Tensor]]
"""Ours and the reference's, by name."""

TASKS = {"classify": TaskType.SEQ_CLS, "causal": TaskType.CAUSAL_LM, "seq2seq": TaskType.SEQ_2_SEQ_LM}
LENGTH = 3


def base(architecture: str, head: str) -> Any:
    return tiny(architecture, head, dtype=torch.float64)


def trained(name: str, architecture: str, head: str, **options: Any) -> methods.Adapted:
    """A method with random weights, so that no part of it is zero or identity."""
    torch.manual_seed(1)
    made = methods.apply(base(architecture, head), name, **options)
    torch.manual_seed(5)
    for parameter in made.trained().values():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return made


def batch_for(model: Any, head: str) -> dict[str, Tensor]:
    batch = text(model)
    return batch | {"decoder_input_ids": batch["input_ids"][:, :6]} if head == "seq2seq" else batch


def outputs(model: Any, batch: dict[str, Tensor], head: str) -> Tensor:
    """The logits, of a causal language model those of real tokens.

    Backward is called on them with fixed random weights: a loss that hides nothing behind a symmetry.
    """
    logits = model(**batch).logits
    if head == "causal":
        real = batch["attention_mask"].bool()
        logits = logits[:, -real.shape[1] :][real]
    generator = torch.Generator().manual_seed(11)
    weights = torch.randn(logits.shape, generator=generator, dtype=logits.dtype)
    (logits * weights).sum().backward()
    return logits.detach()


def hold(record: Record, reference: str, method: str, case: str, pairs: Pairs) -> None:
    """Hold all pairs together, and record how far they are apart."""
    for name, (ours, theirs) in pairs.items():
        assert ours.shape == theirs.shape, name
        assert theirs.abs().max() > 1e-3, f"{name} is too small to say anything"
    agree(record, reference, method, case, pairs.values())


def with_peft(made: methods.Adapted, head: str, architecture: str, config: Any) -> tuple[Any, Pairs]:
    """peft's form of the same model, with our head's weights; and the head's parameters in pairs."""
    there = get_peft_model(base(architecture, head), config).eval()
    theirs = dict(there.named_parameters())
    pairs = {}
    inner = "base_model." if config.is_prompt_learning else "base_model.model."
    for name, ours in made.head.items():
        module, _, rest = name.partition(".")
        pairs[name] = (ours, theirs[f"{inner}{module}.modules_to_save.default.{rest}"])
    return there, pairs


def share(pairs: Pairs) -> None:
    """Give the reference our weights."""
    for ours, theirs in pairs.values():
        assert ours.shape == theirs.shape
        theirs.data.copy_(ours.data)


def gradients(pairs: Pairs) -> Pairs:
    return {f"gradient of {name}": (ours.grad, theirs.grad) for name, (ours, theirs) in pairs.items()}


def layer_pairs(made: methods.Adapted, there: Any, names: dict[str, str]) -> Pairs:
    """Every tensor of a method that changes layers, beside peft's.

    Args:
        made: ours.
        there: peft's.
        names: from ours to peft's, within a layer.
    """
    theirs, prefix = dict(there.named_parameters()), body(made.model)
    pairs = {}
    for name, ours in made._injection.trained.items():
        path, _, kind = name.rpartition(".")
        pairs[name] = (ours, theirs[f"base_model.model.{prefix}{path}.{names[kind]}"])
    return pairs


def body(model: Any) -> str:
    """What stands in front of the names of the body's modules."""
    return "" if model.base_model is model else f"{model.base_model_prefix}."


def changed(made: methods.Adapted) -> list[str]:
    """The layers that a method has put something around."""
    wraps = [change for change in made._injection.changes if isinstance(change, Wrap)]
    return [f"{body(made.model)}{wrap.site.path}" for wrap in wraps]


# lora, dora, ia3 --------------------------------------------------------------------------------------

LOW_RANK = {
    "lora_A": "lora_A.default.weight",
    "lora_B": "lora_B.default.weight",
    "magnitude": "lora_magnitude_vector.default.weight",
}
LAYERS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("bert", "classify", "Linear, query value", {"target": "query,value"}),
    ("bert", "classify", "Linear, output up down", {"target": "output,up,down"}),
    ("gpt2", "causal", "Conv1D, output up down", {"target": "output,up,down"}),
    ("gpt2", "classify", "Conv1D, fused as a whole", {"target": "qkv"}),
    ("gpt_neox", "causal", "Linear, fused as a whole", {"target": "qkv"}),
    ("llama", "causal", "rank-stabilised", {"target": "query,key,value", "rank_stabilized": True}),
    ("t5", "seq2seq", "all attentions, query value", {"target": "query,value"}),
]


@pytest.mark.parametrize("method", ["lora", "dora"])
@pytest.mark.parametrize(("architecture", "head", "case", "options"), LAYERS)
def test_low_rank_updates(
    method: str, architecture: str, head: str, case: str, options: dict[str, Any], record_property: Record
) -> None:
    made = trained(method, architecture, head, rank=4, alpha=6, **options)
    config = LoraConfig(
        task_type=TASKS[head],
        r=4,
        lora_alpha=6,
        target_modules=changed(made),
        use_dora=method == "dora",
        use_rslora=made.options.rank_stabilized,
        fan_in_fan_out=architecture == "gpt2",
    )
    there, pairs = with_peft(made, head, architecture, config)
    pairs |= layer_pairs(made, there, LOW_RANK)
    share(pairs)
    batch = batch_for(made.model, head)
    found = {"outputs": (outputs(made.model, batch, head), outputs(there, batch, head))}
    hold(record_property, "peft", method, f"{architecture}: {case}", found | gradients(pairs))


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neox"])
def test_lora_on_slices(architecture: str, record_property: Record) -> None:
    """W0 + (alpha / r) B A on the query's and the value's features alone, each with an A and a B of its own.

    peft has one A and one B for all three, which is another method (our target ``qkv``).
    """
    made = trained("lora", architecture, "causal", rank=4, alpha=6)
    model, prefix = base(architecture, "causal"), body(made.model)
    fused = {"gpt2": "h.{}.attn.c_attn", "gpt_neox": "layers.{}.attention.query_key_value"}[architecture]
    leaves = {n: p.detach().clone().requires_grad_() for n, p in made._injection.trained.items()}
    weights = dict(model.named_parameters())
    merged = {}
    for block in range(2):
        path = fused.format(block)
        w0 = weights[f"{prefix}{path}.weight"].detach()
        update = torch.zeros(3, 32, 32, dtype=w0.dtype)  # query, key, value
        for index, role in ((0, "query"), (2, "value")):
            b, a = leaves[f"{path}.{role}.lora_B"], leaves[f"{path}.{role}.lora_A"]
            update[index] = 6 / 4 * b @ a
        if architecture == "gpt2":  # query, key, value one after the other, stored (in x out)
            merged[f"{prefix}{path}.weight"] = w0 + update.flatten(0, 1).T
        else:  # every head's query, key and value together
            by_head = update.view(3, 4, 8, 32).transpose(0, 1).reshape(96, 32)
            merged[f"{prefix}{path}.weight"] = w0 + by_head

    def by_hand(**batch: Tensor) -> Any:
        return functional_call(model, merged, kwargs=batch)

    batch = text(model)
    found = {"outputs": (outputs(made.model, batch, "causal"), outputs(by_hand, batch, "causal"))}
    pairs = {n: (ours, leaves[n]) for n, ours in made._injection.trained.items()}
    assert len(pairs) == 8
    hold(record_property, "equation", "lora", f"{architecture}: slices", found | gradients(pairs))


@pytest.mark.parametrize(
    ("architecture", "head"),
    [
        ("bert", "classify"),
        ("gpt2", "causal"),
        ("gpt_neox", "causal"),
        ("llama", "causal"),
        ("t5", "seq2seq"),
    ],
)
def test_ia3(architecture: str, head: str, record_property: Record) -> None:
    """peft is given the layers by name: its own targets for BERT also scale the attention's output.

    On a fused projection it also scales the query: that stays at one here, and its gradient is not compared.
    """
    made = trained("ia3", architecture, head)
    prefix = body(made.model)
    inputs = [f"{prefix}{site.path}" for site in made.anatomy.sites("down")]
    config = IA3Config(
        task_type=TASKS[head],
        target_modules=changed(made),
        feedforward_modules=inputs,
        fan_in_fan_out=architecture == "gpt2",
    )
    there, pairs = with_peft(made, head, architecture, config)
    share(pairs)
    theirs = dict(there.named_parameters())
    scales = []
    for role in ("key", "value", "down"):
        for site in made.anatomy.sites(role):
            ours = made._injection.trained[f"{site.path}.ia3_{role}"]
            whole = theirs[f"base_model.model.{prefix}{site.path}.ia3_l.default"]
            rows = slice(None) if site.rows is None else site.rows
            whole.data.view(-1)[rows] = ours.data
            scales.append((ours, whole, rows))
    assert len(scales) == len(made._injection.trained)
    batch = batch_for(made.model, head)
    found = {"outputs": (outputs(made.model, batch, head), outputs(there, batch, head))}
    for number, (ours, whole, rows) in enumerate(scales):
        found[f"gradient of scale {number}"] = (ours.grad, whole.grad.view(-1)[rows])
    hold(record_property, "peft", "ia3", architecture, found | gradients(pairs))


VECTORS = {"vera_d": "vera_lambda_d.default", "vera_b": "vera_lambda_b.default"}


@pytest.mark.parametrize(
    ("architecture", "head", "case", "target"),
    [(a, h, c, o["target"]) for a, h, c, o in LAYERS if "t5" not in a],
)
def test_vera(architecture: str, head: str, case: str, target: str, record_property: Record) -> None:
    """From one seed both draw the same matrices, bit by bit; layers of several sizes use parts of them."""
    made = trained("vera", architecture, head, rank=4, target=target, seed=3)
    config = VeraConfig(
        task_type=TASKS[head],
        r=4,
        target_modules=changed(made),
        projection_prng_key=3,
        fan_in_fan_out=architecture == "gpt2",
    )
    there, pairs = with_peft(made, head, architecture, config)
    there.double()
    shared = made.anatomy.body.vera
    assert torch.equal(shared.A, there.base_model.vera_A["default"])
    assert torch.equal(shared.B, there.base_model.vera_B["default"])
    pairs |= layer_pairs(made, there, VECTORS)
    share(pairs)
    batch = batch_for(made.model, head)
    found = {"outputs": (outputs(made.model, batch, head), outputs(there, batch, head))}
    case = case.replace("rank-stabilised", "query, key, value")
    hold(record_property, "peft", "vera", f"{architecture}: {case}", found | gradients(pairs))


@pytest.mark.filterwarnings("ignore:Unsupported layer type")  # it says so of every layer that it is for
@pytest.mark.parametrize(
    ("architecture", "head"),
    [("bert", "classify"), ("gpt2", "causal"), ("llama", "causal"), ("t5", "seq2seq")],
)
def test_ln(architecture: str, head: str, record_property: Record) -> None:
    """What peft trains is the same as well, once it is told which layers: all that normalise."""
    made = trained("ln", architecture, head)
    layers = dict.fromkeys(name.rpartition(".")[0] for name in made._injection.trained)
    config = LNTuningConfig(
        task_type=TASKS[head], target_modules=[f"{body(made.model)}{layer}" for layer in layers]
    )
    there, pairs = with_peft(made, head, architecture, config)
    kinds = {kind: f"ln_tuning_layers.default.{kind}" for kind in ("weight", "bias")}
    pairs |= layer_pairs(made, there, kinds)
    share(pairs)
    assert sum(p.numel() for p in there.parameters() if p.requires_grad) == sum(
        p.numel() for p in made.trained().values()
    )
    batch = batch_for(made.model, head)
    found = {"outputs": (outputs(made.model, batch, head), outputs(there, batch, head))}
    hold(record_property, "peft", "ln", architecture, found | gradients(pairs))


def test_twenty_steps_give_the_same_losses(record_property: Record) -> None:
    """From the same start, in float32, with the same dropout in every step."""
    torch.manual_seed(1)
    made = methods.apply(tiny("bert", initializer_range=0.1), "lora", rank=4, alpha=6)
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=4, lora_alpha=6, target_modules=changed(made))
    there = get_peft_model(tiny("bert", initializer_range=0.1), config)
    theirs = dict(there.named_parameters())
    for name, ours in made.head.items():
        theirs[f"base_model.model.{name.replace('.', '.modules_to_save.default.')}"].data.copy_(ours.data)
    share(layer_pairs(made, there, LOW_RANK))
    assert {p.numel() for p in there.parameters() if p.requires_grad} == {
        p.numel() for p in made.trained().values()
    }
    batch, losses, steps = text(made.model), [], 20
    for model in (made.model.train(), there.train()):
        optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
        history = []
        for _ in range(steps):
            torch.manual_seed(3)
            loss = model(**batch, labels=torch.tensor([0, 1, 2])).loss
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            history.append(loss.item())
        losses.append(torch.tensor(history))
    ours, peers = losses
    assert ours[-1] < 0.5 * ours[0]
    apart = deviation([(ours, peers)])
    case = f"bert: losses of {steps} AdamW steps, float32"
    for key, value in {"reference": "peft", "method": "lora", "case": case, "deviation": apart}.items():
        record_property(key, value)
    assert apart <= 1e-6


def products(pairs: Pairs) -> Pairs:
    """Factors beside peft's as what does not depend on singular vectors' signs: B A, and how it moves."""
    found = {}
    for name, factors in pairs.items():
        if name.endswith("lora_A"):
            both = zip(factors, pairs[f"{name.removesuffix('lora_A')}lora_B"], strict=True)
            for (a, b), side in zip(both, ("ours", "theirs"), strict=True):
                found[name, "B A", side] = b @ a
                if a.grad is not None and b.grad is not None:
                    found[name, "B dA", side], found[name, "dB A", side] = b @ a.grad, b.grad @ a
    keys = {(name, what) for name, what, _ in found}
    return {
        f"{what} of {name}": (found[name, what, "ours"], found[name, what, "theirs"]) for name, what in keys
    }


@pytest.mark.parametrize(("architecture", "target"), [("bert", "query,up"), ("gpt2", "qkv,down")])
def test_pissa(architecture: str, target: str, record_property: Record) -> None:
    """Where it starts, and three AdamW steps. peft splits in float32 at most: then both go on in float64."""
    made = methods.apply(tiny(architecture), "lora", rank=4, alpha=8, target=target, init="pissa")
    paths = [f"{body(made.model)}{change.site.path}" for change in made._injection.foldable]
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=4,
        lora_alpha=8,
        target_modules=paths,
        init_lora_weights="pissa",
        fan_in_fan_out=architecture == "gpt2",
    )
    there = get_peft_model(tiny(architecture), config).eval().double()
    made.model.double()
    theirs = dict(there.named_parameters())
    head = {
        name: (ours, theirs[f"base_model.model.{name.replace('.', '.modules_to_save.default.', 1)}"])
        for name, ours in made.head.items()
    }
    share(head)
    factors = layer_pairs(made, there, LOW_RANK)
    batch, found = text(made.model), {}
    residuals = dict(made.model.named_parameters())
    for path in paths:
        ours = next(p for n, p in residuals.items() if n == f"{path}.base.weight")
        found[f"residual of {path}"] = (ours, theirs[f"base_model.model.{path}.base_layer.weight"])
    both = [
        (made.model, made.trained().values()),
        (there, [p for p in there.parameters() if p.requires_grad]),
    ]
    optimisers = [torch.optim.AdamW(list(own), lr=1e-2) for _, own in both]
    for step in range(4):
        sides = [outputs(model, batch, "classify") for model, _ in both]
        found |= {f"{key}, step {step}": pair for key, pair in products(factors).items()}
        found[f"outputs at step {step}"] = (sides[0], sides[1])
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
    case = f"{architecture}: PiSSA, its start and three AdamW steps, as products"
    hold(record_property, "peft", "lora", case, found)


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_lora_plus(method: str, record_property: Record) -> None:
    """The same parameters at the same rates, and so the same steps.

    peft gives B's rate to every vector that trains as well, and lets it decay: DoRA's lengths are put right.
    """
    decay = 0.1 if method == "lora" else 0.0
    made = trained(method, "llama", "causal", rank=4, alpha=6, b_rate=16)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=4,
        lora_alpha=6,
        target_modules=changed(made),
        use_dora=method == "dora",
    )
    there, _ = with_peft(made, "causal", "llama", config)
    pairs = layer_pairs(made, there, LOW_RANK)
    share(pairs)
    made_for = optimizer(made.trained(), 1e-3, decay, made.rates())
    peers = create_loraplus_optimizer(
        there, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=16, loraplus_weight_decay=decay
    )
    for group in list(peers.param_groups):
        lengths = [p for p in group["params"] if p.ndim == 1]
        group["params"] = [p for p in group["params"] if p.ndim > 1]
        if lengths:
            peers.add_param_group({"params": lengths, "lr": 1e-3, "weight_decay": 0.0})

    def settings(optimiser: Any) -> dict[int, tuple[float, float]]:
        return {id(p): (g["lr"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}

    ours, theirs = settings(made_for), settings(peers)
    assert len(ours) == len(theirs) == len(pairs)
    assert all(ours[id(own)] == pytest.approx(theirs[id(other)]) for own, other in pairs.values())
    batch, found = text(made.model), {}
    for step in range(3):
        sides = [outputs(model, batch, "causal") for model in (made.model, there)]
        found[f"outputs at step {step}"] = (sides[0], sides[1])
        for optimiser in (made_for, peers):
            optimiser.step()
            optimiser.zero_grad()
    case = "llama: three AdamW steps of LoRA+, 16 times the rate for B"
    hold(record_property, "peft", method, case, found | pairs)


# prefix, prompt ---------------------------------------------------------------------------------------


def prefix_pairs(made: methods.Adapted, there: Any) -> Pairs:
    """Our prefix beside peft's, each as peft has it, and for the direct form as a view of one matrix."""
    encoder = there.prompt_encoder["default"].double()
    if made.options.hidden is not None:
        mlp = made.anatomy.body.prefix["self"]
        return {
            "embedding": (mlp.embedding, encoder.embedding.weight),
            "inner.weight": (mlp.inner.weight, encoder.transform[0].weight),
            "inner.bias": (mlp.inner.bias, encoder.transform[0].bias),
            "outer.weight": (mlp.outer.weight, encoder.transform[2].weight),
            "outer.bias": (mlp.outer.bias, encoder.transform[2].bias),
        }
    return {}


def flat(made: methods.Adapted, of: Callable[[Any], Tensor]) -> Tensor:
    """The direct prefix of all blocks as peft stores it: (n x L * (key, value) * heads * head size)."""
    slots = [site.module.prefix for site in made.anatomy.attentions()["self"]]
    parts = [of(part).transpose(0, 1).flatten(1) for slot in slots for part in (slot.keys, slot.values)]
    return torch.cat(parts, dim=1)


PREFIXES: list[tuple[str, str, int | None]] = [
    ("gpt2", "causal", None),
    ("gpt2", "classify", 6),
    ("gpt_neox", "causal", 6),
    ("opt", "causal", None),
    ("llama", "causal", None),
    ("bert", "classify", None),
    ("bert", "classify", 6),
    ("roberta", "classify", None),
]


@pytest.mark.parametrize(("architecture", "head", "hidden"), PREFIXES)
def test_prefix(architecture: str, head: str, hidden: int | None, record_property: Record) -> None:
    """On encoders peft numbers the text from n, which no paper asks for: here ours is told to do so too.

    With fewer key/value heads than heads (llama) peft's MLP starts from a narrower embedding than the
    model's width: there the direct form alone is compared.
    """
    made = trained("prefix", architecture, head, length=LENGTH, hidden=hidden)
    config = PrefixTuningConfig(
        task_type=TASKS[head],
        num_virtual_tokens=LENGTH,
        prefix_projection=hidden is not None,
        encoder_hidden_size=hidden,
    )
    there, head_pairs = with_peft(made, head, architecture, config)
    pairs = head_pairs | prefix_pairs(made, there)
    share(pairs)
    matrix = there.prompt_encoder["default"].embedding.weight
    if hidden is None:
        matrix.data.copy_(flat(made, lambda part: part.data))
    batch = text(made.model)
    ours = dict(batch)
    if architecture == "bert":
        ours["position_ids"] = torch.arange(LENGTH, LENGTH + batch["input_ids"].shape[1])[None]
    elif architecture == "roberta":  # from padding_idx + 1, padding not counted
        real = batch["attention_mask"]
        ours["position_ids"] = (real.cumsum(1) + LENGTH) * real + 1
    found = {"outputs": (outputs(made.model, ours, head), outputs(there, batch, head))}
    if hidden is None:
        found["gradient of the prefix"] = (flat(made, lambda part: part.grad), matrix.grad)
    case = f"{architecture}: {'direct' if hidden is None else 'through the MLP'}"
    case += ", positions from n as peft has them" if architecture in ("bert", "roberta") else ""
    hold(record_property, "peft", "prefix", case, found | gradients(pairs))


@pytest.mark.parametrize(
    ("architecture", "head"),
    [("gpt2", "causal"), ("gpt_neox", "causal"), ("opt", "causal"), ("llama", "causal"), ("t5", "seq2seq")],
)
def test_prompt(architecture: str, head: str, record_property: Record) -> None:
    """peft's logits have n rows more in front, over the prompt: they are left out."""
    made = trained("prompt", architecture, head, length=LENGTH)
    ours = made.anatomy.body.prompt.weight
    config = PromptTuningConfig(
        task_type=TASKS[head],
        num_virtual_tokens=LENGTH,
        token_dim=ours.shape[1],
        num_transformer_submodules=1,
    )
    there, _ = with_peft(made, head, architecture, config)
    there.prompt_encoder.double()
    pairs = {"prompt": (ours, there.prompt_encoder["default"].embedding.weight)}
    share(pairs)
    batch = batch_for(made.model, head)
    found = {"outputs": (outputs(made.model, batch, head), outputs(there, batch, head))}
    hold(record_property, "peft", "prompt", architecture, found | gradients(pairs))


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_prompt_behind_the_first_token(architecture: str, record_property: Record) -> None:
    """[CLS] P x_1 ..., written out. peft has P [CLS] x_1 ..., so that the head reads a row of the prompt;
    and RoBERTa numbers whatever comes as embeddings from 2, padding included, unless it is told otherwise.
    """
    made = trained("prompt", architecture, "classify", length=LENGTH)
    model = base(architecture, "classify")
    rows = made.anatomy.body.prompt.weight.detach().clone().requires_grad_()
    theirs = dict(model.named_parameters())
    pairs: Pairs = {name: (ours, theirs[name]) for name, ours in made.head.items()}
    share(pairs)
    pairs["prompt"] = (made.anatomy.body.prompt.weight, rows)
    batch = text(model)
    words, mask = (
        model.base_model.get_input_embeddings()(batch["input_ids"]).detach(),
        batch["attention_mask"],
    )
    count = len(words)
    by_hand = {
        "inputs_embeds": torch.cat([words[:, :1], rows.expand(count, -1, -1), words[:, 1:]], dim=1),
        "attention_mask": torch.cat([mask[:, :1], mask.new_ones(count, LENGTH), mask[:, 1:]], dim=1),
    }
    if architecture == "roberta":
        real = by_hand["attention_mask"]
        by_hand["position_ids"] = real.cumsum(1) * real + 1
    found = {"outputs": (outputs(made.model, batch, "classify"), outputs(model, by_hand, "classify"))}
    hold(record_property, "equation", "prompt", f"{architecture}: behind [CLS]", found | gradients(pairs))
