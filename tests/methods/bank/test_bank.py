"""One base, many tasks, several in one batch: every method that is served."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

import methods
from methods import MethodError

from ..cells import equal, state, why_not
from ..conftest import inputs, logits, text, tiny
from .tasks_of import OTHER, base, filled, three, trained

SERVED = [name for name in methods.names() if methods.get(name).served is not None]
WHO = ["a", "c", "b", "c"]
LENGTHS = (11, 5, 8, 7)
ARCHITECTURES = ("bert", "roberta", "mpnet", "modernbert", "gpt2", "gpt_neox", "opt", "llama", "t5")
ARCHITECTURES += ("whisper",)


def heads(architecture: str) -> tuple[str, ...]:
    return ("classify", *WRITERS.get(architecture, ()))


WRITERS = {"gpt2": ("causal",), "opt": ("causal",), "llama": ("causal",), "t5": ("seq2seq",)}
CELLS = [
    (name, architecture, head)
    for architecture in ARCHITECTURES
    for head in heads(architecture)
    for name in SERVED
    if why_not(name, architecture, head) is None
]


def alone(task: methods.Adapted, batch: dict[str, Any], row: int) -> torch.Tensor:
    """The logits of one row in the adapted model itself."""
    return logits(task.model, {key: value[row : row + 1] for key, value in batch.items()})


def mixed(model: Any, batch: dict[str, Any], who: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch, task=who).logits


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize(("name", "architecture", "head"), CELLS)
def test_each_row_is_that_row_alone(name: str, architecture: str, head: str, left: bool) -> None:
    tasks, model = three(name, architecture, head), base(architecture, head)
    filled(model, tasks)
    batch = inputs(model, LENGTHS, left)
    together = mixed(model, batch, WHO)
    assert together.shape[-1] == (5 if head == "classify" else 120)
    for row, who in enumerate(WHO):
        expected = alone(tasks[who], batch, row)
        labels = expected.shape[-1]
        torch.testing.assert_close(together[row : row + 1, ..., :labels], expected, rtol=0, atol=1e-10)
        assert together[row, ..., labels:].isneginf().all()
    for who in ("a", "c"):
        assert torch.equal(mixed(model, batch, who), logits(tasks[who].model, batch))
        assert torch.equal(mixed(model, batch, [who] * 4), logits(tasks[who].model, batch))


@pytest.mark.parametrize("without", ["attention_mask", "nothing"])
@pytest.mark.parametrize("name", ["prefix", "prompt"])
@pytest.mark.parametrize(
    ("architecture", "head", "attention"),
    [(a, "classify", i) for a in ("bert", "gpt2", "roberta") for i in ("sdpa", "eager")]
    + [("t5", "seq2seq", "sdpa"), ("t5", "seq2seq", "eager"), ("llama", "causal", "sdpa")],
)
def test_lengths_may_differ_without_a_mask_too(
    name: str, architecture: str, head: str, attention: str, without: str
) -> None:
    tasks = three(name, architecture, head, attn_implementation=attention)
    model = base(architecture, head, attn_implementation=attention)
    filled(model, tasks)
    batch = inputs(model, (9, 9, 9, 9))
    batch = {key: value for key, value in batch.items() if without not in key}
    together = mixed(model, batch, WHO)
    for row, who in enumerate(WHO):
        expected = alone(tasks[who], batch, row)
        own = together[row : row + 1, ..., : expected.shape[-1]]
        torch.testing.assert_close(own, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("architecture", ["gpt2", "llama", "opt", "t5"])
@pytest.mark.parametrize("name", [name for name in SERVED if name != "head"])
def test_rows_write_as_they_do_alone(name: str, architecture: str, beams: int) -> None:
    head = "seq2seq" if architecture == "t5" else "causal"
    if why_not(name, architecture, head):
        pytest.skip(str(why_not(name, architecture, head)))
    tasks, model = three(name, architecture, head), base(architecture, head)
    bank = filled(model, tasks)
    batch, who = text(model, (7, 3, 5), left=head == "causal"), ["a", "c", "c"]
    batch.pop("position_ids", None)  # generate() makes them
    settings: dict[str, Any] = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    settings |= {"num_beams": beams, "return_dict_in_generate": True, "output_logits": True}
    made = model.generate(**batch, task=who, **settings)
    with bank.tasks(who):
        assert torch.equal(model.generate(**batch, **settings).sequences, made.sequences)
    for row, name_of_row in enumerate(who):
        one = {key: value[row : row + 1] for key, value in batch.items()}
        expected = tasks[name_of_row].model.generate(**one, **settings)
        assert torch.equal(expected.sequences[0], made.sequences[row])
        for ours, theirs in zip(made.logits, expected.logits, strict=True):
            rows = ours[row * beams : (row + 1) * beams]
            torch.testing.assert_close(rows, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("architecture", ["gpt2", "t5"])
def test_beams_and_samples_may_be_asked_for_in_every_way(architecture: str) -> None:
    """Rows are repeated with their tasks wherever that is said; peft sees beams in the call alone."""
    head = "seq2seq" if architecture == "t5" else "causal"
    tasks, model = three("lora", architecture, head), base(architecture, head)
    filled(model, tasks)
    batch, who = text(model, (7, 3), left=head == "causal"), ["a", "c"]
    batch.pop("position_ids", None)
    settings = {"max_new_tokens": 4, "min_new_tokens": 4, "pad_token_id": 0}
    said = model.generate(**batch, task=who, num_beams=2, **settings)
    given = GenerationConfig(num_beams=2, decoder_start_token_id=0, **settings)
    assert torch.equal(model.generate(**batch, task=who, generation_config=given), said)
    several = model.generate(**batch, task=who, num_beams=2, num_return_sequences=2, **settings)
    assert torch.equal(several[::2], said)


def test_a_decoder_goes_on_step_by_step_without_positions() -> None:
    """A cache filled in front of shorter prompts, gone on from by hand."""
    tasks, model = three("prompt", "llama", "causal"), base("llama", "causal")
    bank = filled(model, tasks)
    ids = text(model, (9, 9))["input_ids"]
    with bank.tasks(["a", "c"]), torch.no_grad():
        whole = model(input_ids=ids).logits
        first = model(input_ids=ids[:, :6], use_cache=True)
        rest = model(input_ids=ids[:, 6:], past_key_values=first.past_key_values).logits
    stepwise = torch.cat([first.logits, rest], dim=1)
    torch.testing.assert_close(stepwise, whole, rtol=0, atol=1e-10)
    assert first.past_key_values.get_seq_length() == 9


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama", "t5"])
@pytest.mark.parametrize("name", SERVED)
def test_without_tasks_the_model_is_the_base_bit_by_bit(name: str, architecture: str) -> None:
    if why_not(name, architecture, "classify"):
        pytest.skip(str(why_not(name, architecture, "classify")))
    tasks, model = three(name, architecture), base(architecture)
    before, batch = state(model), text(model, LENGTHS)
    flags = [parameter.requires_grad for parameter in model.parameters()]
    modules, own = [type(module) for module in model.modules()], dict(vars(model))
    first = logits(model, batch)
    identities = {n: id(p) for n, p in model.named_parameters()}
    bank = filled(model, tasks)
    mixed(model, batch, WHO)
    mixed(model, batch, "b")
    bank.remove("a")
    assert bank.names == ("b", "c")
    assert torch.equal(mixed(model, batch, "c"), logits(tasks["c"].model, batch))
    assert bank.remove() is model
    assert equal(state(model), before)
    assert {n: id(p) for n, p in model.named_parameters()} == identities  # no copy of the base was ever made
    assert flags == [parameter.requires_grad for parameter in model.parameters()]
    assert [type(module) for module in model.modules()] == modules
    assert vars(model).keys() == own.keys()
    assert torch.equal(logits(model, batch), first)
    assert bank.names == ()
    bank.add("other", trained(base(architecture), "lora", 4))  # of another method, if need be
    bank.remove("other")
    assert equal(state(model), before)


def test_rows_are_computed_without_a_loop_over_tasks() -> None:
    """As many products for two tasks as for six."""
    model = base("bert")
    bank = methods.Bank(model)
    for number in range(6):
        bank.add(str(number), trained(base("bert"), "lora", number))
    batch = text(model, (5,) * 6)

    def products(who: list[str]) -> list[str]:
        with torch.profiler.profile() as seen:
            mixed(model, batch, who)
        return sorted(e.key for e in seen.events() if "mm" in e.key)

    assert products(["0", "1"] * 3) == products([str(number) for number in range(6)])


def test_a_folder_a_checkpoint_and_an_adapted_are_one(tmp_path: Path) -> None:
    model, task = base("bert"), trained(base("bert"), "lora", 1)
    batch = text(model)
    bank = methods.Bank(model)
    bank.add("folder", task.save(tmp_path / "ours"))
    bank.add("peft", task.export_peft(tmp_path / "peft"))
    bank.add("memory", task.checkpoint())
    bank.add("adapted", task)
    expected = logits(task.model, batch)
    for name in bank.names:
        assert torch.equal(mixed(model, batch, name), expected)
    empty = methods.Bank(base("bert"))
    empty.add("first", tmp_path / "peft")
    assert torch.equal(mixed(empty.model, batch, "first"), expected)
    task.trained()["head.classifier.weight"].data.zero_()  # what is added is a copy
    assert torch.equal(mixed(model, batch, "adapted"), expected)


def test_a_task_takes_its_tensors_and_little_more() -> None:
    model = tiny("bert", hidden_size=128, num_attention_heads=4)
    bank, ranks = methods.Bank(model), (8, 16)
    for rank in ranks:
        task = methods.apply(tiny("bert", hidden_size=128, num_attention_heads=4), "lora", rank=rank)
        bank.add(str(rank), task)
        assert task.checkpoint().bytes <= bank.bytes(str(rank)) <= 1.05 * task.checkpoint().bytes
    assert (len(bank), "8" in bank, "9" in bank) == (2, True, False)
    assert bank.options("16")["rank"] == 16


def test_tasks_follow_the_model() -> None:
    tasks, model = three("lora", "bert"), base("bert")
    bank, batch = filled(model, tasks), text(model, LENGTHS)
    before = mixed(model, batch, WHO)
    model.float()
    after = mixed(model, batch, WHO)
    assert after.dtype == torch.float32
    torch.testing.assert_close(after.double(), before, rtol=1e-3, atol=1e-3)
    assert torch.equal(mixed(model, batch, "a"), logits(tasks["a"].model.float(), batch))
    bank.remove()


@pytest.mark.parametrize("name", ["lora", "houlsby", "prefix", "bitfit"])
def test_a_base_in_half_precision(name: str) -> None:
    model = base("bert", dtype=torch.bfloat16)
    tasks = three(name, "bert", dtype=torch.bfloat16)
    filled(model, tasks)
    batch = text(model, LENGTHS)
    together = mixed(model, batch, WHO)
    assert together.dtype == torch.bfloat16
    for row, who in enumerate(WHO):
        expected = alone(tasks[who], batch, row)
        own = together[row : row + 1, : expected.shape[-1]]
        torch.testing.assert_close(own.float(), expected.float(), rtol=0.1, atol=0.2)
    assert torch.equal(mixed(model, batch, "c"), logits(tasks["c"].model, batch))


def test_a_copy_serves_for_itself() -> None:
    tasks, model = three("lora", "bert"), base("bert")
    bank, batch = filled(model, tasks), text(model, LENGTHS)
    expected = mixed(model, batch, WHO)
    for copied in (copy.deepcopy(bank), pickle.loads(pickle.dumps(bank))):
        assert copied.model is not model
        bank.model.classifier.bias.data.add_(0)
        assert torch.equal(mixed(copied.model, batch, WHO), expected)
        copied.remove("a")
    assert torch.equal(mixed(model, batch, WHO), expected)


def test_threads_take_turns() -> None:
    tasks, model = three("lora", "bert"), base("bert")
    filled(model, tasks)
    batch = text(model, LENGTHS)
    expected = {who: mixed(model, batch, who) for who in "abc"}
    wrong: list[str] = []

    def serve(who: str) -> None:
        for _ in range(10):
            if not torch.equal(mixed(model, batch, who), expected[who]):
                wrong.append(who)

    threads = [threading.Thread(target=serve, args=(who,)) for who in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_thread_is_not_served_by_what_another_asked_for() -> None:
    model, refused = base("bert"), []
    bank, batch = filled(model, three("lora", "bert")), text(model)

    def call() -> None:
        with pytest.raises(MethodError, match="say whose the rows are"):
            model(**batch)
        refused.append(True)

    with bank.tasks("a"):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert refused


@pytest.mark.parametrize("name", ["dora", "bitfit", "prefix", "prompt", "ln"])
@pytest.mark.parametrize("first", ["a", ["a", "b", "a", "b"]])
def test_a_task_may_come_while_others_are_served(name: str, first: Any) -> None:
    tasks, model = three(name, "bert"), base("bert")
    bank, batch = methods.Bank(model), text(model, LENGTHS)
    for who in "ab":
        bank.add(who, tasks[who])
    with bank.tasks(first):
        before = logits(model, batch)
        bank.add("c", tasks["c"])
        assert torch.equal(logits(model, batch), before)
    assert torch.equal(mixed(model, batch, "c"), logits(tasks["c"].model, batch))


def test_whoever_fails_leaves_the_bank_as_it_was() -> None:
    tasks, model = three("lora", "bert"), base("bert")
    bank, batch = filled(model, tasks), text(model, LENGTHS)
    expected = mixed(model, batch, WHO)
    with pytest.raises(IndexError):
        mixed(model, {**batch, "input_ids": batch["input_ids"] + 10_000}, WHO)
    with bank.tasks("a"):
        with bank.tasks(["a", "b", "a", "b"]):
            mixed(model, batch, WHO)
        assert torch.equal(logits(model, batch), logits(tasks["a"].model, batch))
    assert torch.equal(mixed(model, batch, WHO), expected)


def test_a_base_without_a_layout_is_tried_out() -> None:
    """XLNet runs tokens first, rows second: a row of it cannot be told by the first dimension."""
    from transformers import XLNetConfig, XLNetForSequenceClassification

    config = XLNetConfig(vocab_size=120, d_model=32, n_layer=2, n_head=4, d_inner=48, num_labels=3)
    model = XLNetForSequenceClassification(config).eval()
    task = trained(copy.deepcopy(model), "ln", 1)
    with pytest.raises(MethodError, match="rows in the first dimension"):
        methods.Bank(model).add("a", task)
    assert methods.Bank(model).names == ()


def test_other_architectures_that_are_not_known_are_served() -> None:
    from transformers import BertForSequenceClassification
    from transformers.models.bert.configuration_bert import BertConfig

    class Strange(BertConfig):
        model_type = "strange"

    class StrangeModel(BertForSequenceClassification):
        config_class = Strange

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    torch.manual_seed(0)
    ends = {"pad_token_id": 0, "eos_token_id": 2}
    model = StrangeModel(Strange(vocab_size=120, num_labels=3, **sizes, **ends)).double().eval()
    tasks = {who: trained(copy.deepcopy(model), "lora", seed) for seed, who in enumerate("ab")}
    filled(model, tasks)
    batch = text(model, (6, 4))
    together = mixed(model, batch, ["b", "a"])
    for row, who in enumerate("ba"):
        torch.testing.assert_close(together[row : row + 1], alone(tasks[who], batch, row), rtol=0, atol=1e-10)


REFUSED = [name for name in methods.names() if name not in SERVED]


@pytest.mark.parametrize("name", REFUSED)
def test_other_methods_are_refused_with_the_nearest(name: str) -> None:
    bank = methods.Bank(base("bert"))
    with pytest.raises(MethodError, match=rf"^a bank does not serve {name}, .* that it serves is lora.*\.$"):
        bank.add("a", trained(base("bert"), name, 1))
    assert state(bank.model).keys() == state(base("bert")).keys()


def lora(**options: Any) -> methods.Checkpoint:
    return trained(base("bert"), "lora", 1, **options).checkpoint()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda bank: bank.add("a", lora()), "has a task 'a' already"),
        (lambda bank: bank.add("", lora()), "received '' as the name of a task, expected a text"),
        (lambda bank: bank.add("x", 3), "received 3 as a task, expected a folder"),
        (lambda bank: bank.add("x", "nowhere"), "nowhere is not a saved method"),
        (
            lambda bank: bank.add("x", trained(base("bert"), "ia3", 1)),
            "the checkpoint holds ia3, the bank lora: all tasks of a bank are of one method",
        ),
        (lambda bank: bank.add("x", lora(target="key")), r"acts in other places .*target=\('key',\)"),
        (lambda bank: bank.add("x", lora(layers="0")), "acts in other places"),
        (
            lambda bank: bank.add("x", trained(base("roberta"), "lora", 1)),
            "was trained on roberta, and .* is another architecture",
        ),
        (
            lambda bank: bank.add("x", trained(tiny("bert", hidden_size=64), "lora", 1)),
            r"does not fit .* is \(3, 64\) of torch.float32, expected \(3, 32\)",
        ),
        (lambda bank: bank.remove("x"), "the bank has no task 'x'; Valid: a, b, c"),
        (lambda bank: bank.bytes("x"), "the bank has no task 'x'"),
        (lambda bank: bank.tasks([]).__enter__(), "received no names of tasks"),
        (lambda bank: bank.model(**text(bank.model)), r"serves 3 tasks of one base: say whose the rows are"),
        (
            lambda bank: bank.model(**text(bank.model), task=["a"]),
            "a batch of 3 rows and 1 tasks, expected one",
        ),
        (lambda bank: bank.model(**text(bank.model), task=["a", "b"]), "a batch of 3 rows and 2 tasks"),
        (lambda bank: bank.model(**text(bank.model), task=["a", "b", "d"]), "the bank has no task 'd'"),
        (
            lambda bank: bank.model(**text(bank.model), task="c", labels=torch.tensor([0, 1, 2])),
            "computes its loss for 3 labels, and a task of the batch has another number",
        ),
        (lambda bank: bank.model.train()(**text(bank.model), task="a"), "in training mode: call eval"),
        (lambda bank: bank.model.save_pretrained("nowhere"), "a base with a bank in it"),
        (lambda bank: methods.adapted(bank.model), "holds a Bank of several tasks, and no one method"),
        (
            lambda bank: methods.apply(bank.model, "lora"),
            r"already holds 'lora': call remove\(\) on it first",
        ),
        (lambda bank: methods.Bank(bank.model), r"already holds 'lora'"),
        (lambda bank: methods.Bank(3), "expected a transformers PreTrainedModel, received int"),
    ],
)
def test_each_mistake_has_its_sentence(call: Any, words: str) -> None:
    tasks, model = three("lora", "bert"), base("bert")
    bank, batch = filled(model, tasks), text(model, LENGTHS)
    expected = mixed(model, batch, WHO)
    with pytest.raises(MethodError, match=words) as raised:
        call(bank)
    assert str(raised.value).count(". ") == 0
    assert str(raised.value).endswith(".")
    model.eval()
    assert bank.names == ("a", "b", "c")
    assert torch.equal(mixed(model, batch, WHO), expected)


def test_what_is_being_served_stays() -> None:
    bank = filled(base("bert"), three("lora", "bert"))
    with bank.tasks(["a", "b"]):
        for name in ("a", None):
            with pytest.raises(MethodError, match=r"is being served: leave tasks\(\) first"):
                bank.remove(name)
        bank.remove("c")
    assert bank.names == ("a", "b")


@pytest.mark.parametrize("name", ["lora", "houlsby"])
def test_what_all_rows_share_is_refused(name: str) -> None:
    """DeBERTa multiplies embeddings of relative positions by query and key matrices, and norms them."""
    tasks, model = three(name, "deberta-v2"), base("deberta-v2")
    filled(model, tasks)
    batch = text(model, LENGTHS)
    with pytest.raises(MethodError, match=r"that all 4 rows of the batch share .*serve one task at a time"):
        mixed(model, batch, WHO)
    assert torch.equal(mixed(model, batch, "a"), logits(tasks["a"].model, batch))


def test_options_that_only_training_needs_may_differ() -> None:
    bank = methods.Bank(base("bert"))
    bank.add("plain", lora())
    bank.add("pissa", lora(init="pissa", dropout=0.1, b_rate=4.0))  # kept as factors of twice the rank
    assert bank.options("pissa")["rank"] == 2 * bank.options("plain")["rank"]
    model = trained(base("bert"), "lora", 1, init="pissa", dropout=0.1, b_rate=4.0).model
    batch = text(model)
    torch.testing.assert_close(mixed(bank.model, batch, "pissa"), logits(model, batch), rtol=0, atol=1e-10)


def test_a_loss_of_the_models_own_labels_is_that_of_the_adapted_model() -> None:
    tasks, model = three("lora", "bert"), base("bert")
    filled(model, tasks)
    batch = text(model) | {"labels": torch.tensor([0, 1, 2])}
    with torch.no_grad():
        assert torch.equal(model(**batch, task="a").loss, tasks["a"].model(**batch).loss)
        losses = [
            tasks[who].model(**{k: v[r : r + 1] for k, v in batch.items()}).loss
            for r, who in enumerate("aba")
        ]
        mean = model(**batch, task=["a", "b", "a"]).loss
    torch.testing.assert_close(mean, torch.stack(losses).mean(), rtol=0, atol=1e-10)


def test_what_may_differ_is_an_option_of_the_method() -> None:
    for name in SERVED:
        kind = methods.get(name).served
        method = methods.get(name)
        assert kind.size is None or kind.size in method.options.model_fields
        assert kind.factor is None or isinstance(getattr(method.options(), kind.factor), float)
        assert set(OTHER.get(name, {})) <= set(method.options.model_fields)
