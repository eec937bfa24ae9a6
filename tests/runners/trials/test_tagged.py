"""A trial that labels the words of sentences, from its spec to its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput

import methods
import tasks
from reports.records.answers import unpacked
from reports.records.checks import check_record
from reports.records.consistency import arithmetic_faults
from reports.records.schema import Record
from reports.stats.sections import sections
from runners import device, heads, models, optimisation
from runners.errors import ModelError
from runners.plan.spec import TrialSpec
from runners.plan.study import parse_study
from runners.share.validation import against_the_code
from runners.trials import batches, frozen, kinds
from runners.trials.frozen import Behind
from runners.trials.tagged import Tagged
from runners.trials.trial import run_trial
from runners.work import checking, own_data
from tasks.own import preparing
from tests.methods.cells import apply, perturb
from tests.methods.conftest import build, seed, text, tiny
from tests.runners.names import own_task

SPAN_METRICS = {"span_f1", "span_precision", "span_recall", "token_accuracy"}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return own_task(tmp_path_factory.mktemp("data"))


def spec(
    model: str, task: dict[str, Any], method: str = "lora", costs: Any = "none", **changes: Any
) -> TrialSpec:
    protocol = {"steps": 60, "batch_size": 8, "evaluate_every": 30, "learning_rate": 1e-2} | changes
    listed = {"models": [model], "tasks": [task], "methods": [method], "seeds": [0]}
    return parse_study({"name": "s", "costs": costs, "protocol": protocol, **listed}).specs[0]


def test_a_trial_is_trained_scored_and_its_costs_measured(
    tiny_model: str, task: dict[str, Any], brief: dict[str, object], tmp_path: Path
) -> None:
    asked = spec(tiny_model, task, costs=brief)
    assert kinds.of(asked) is Tagged
    record = run_trial(asked)
    assert record.status == "completed", record.message
    check_record(record)
    assert list(arithmetic_faults(record)) == []
    assert against_the_code(record).faults == []
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert record.gaps == {}
    assert all(part is not None for part in (record.memory, record.latency, record.compute, record.serving))
    assert record.answers is not None
    predicted, references = unpacked(record.answers)
    assert (predicted.shape, references.shape) == ((20, 2), (20,))
    wrong = record.answers.model_copy(update={"hits": record.answers.references})
    said = [*arithmetic_faults(record.model_copy(update={"answers": wrong}))]
    assert any(fault.startswith("$.scores.report.span_f1 is ") for fault in said), said
    several = [{"spec": {**record.spec, "seed": n}, "trial_id": f"{n:064x}"} for n in range(3)]
    (section,) = sections([record.model_copy(update=one) for one in several])
    assert section.every_row[0].score.over_examples
    check_record(record.model_copy(update={"answers": None}))  # as those of before
    assert record.task is not None
    assert record.scores is not None
    assert record.task.sizes.model_dump() == {"train": 54, "selection": 6, "report": 20}
    assert record.task.truncated is not None
    assert record.task.truncated.model_dump() == {"train": 0, "selection": 0, "report": 0}
    for scores in (record.scores.selection, record.scores.report, record.scores.majority):
        assert scores.keys() == SPAN_METRICS
    assert record.scores.report["span_f1"] > 0.6
    assert record.scores.majority["span_f1"] == 0
    assert record.parameters is not None
    assert record.parameters.head == 5 * 32 + 5


@pytest.mark.parametrize("method", ["head", "prompt"])
def test_scores_are_over_all_words_whatever_is_cut(
    tiny_model: str, task: dict[str, Any], method: str
) -> None:
    """Of six to ten words, 6 tokens hold all of the shortest alone: the places of others are missed."""
    record = run_trial(spec(tiny_model, task, method, max_length=8, steps=4, evaluate_every=4))
    assert record.status == "completed", record.message
    assert record.task is not None
    assert record.task.truncated is not None
    assert record.scores is not None
    cut = record.task.truncated.report or 0
    assert 0 < cut <= 20
    whole = spec(tiny_model, task, method)
    words = sum(map(len, batches.load(whole.declared, whole.data).report["tags"]))
    accuracy = record.scores.report["token_accuracy"]
    assert accuracy is not None
    assert accuracy * words == pytest.approx(round(accuracy * words))  # a share of all of them
    assert record.scores.majority == run_majority(whole)


def run_majority(whole: TrialSpec) -> dict[str, float]:
    data = batches.load(whole.declared, whole.data)
    train, report = (list(map(np.array, split["tags"])) for split in (data.train, data.report))
    return tasks.majority(whole.declared, train, report)


class Oracle(nn.Module):
    """Knows the label of every token that it reads."""

    def __init__(self, labels: dict[int, int], words: int, size: int) -> None:
        super().__init__()
        self.table = torch.zeros(words, size)
        for token, label in labels.items():
            self.table[token, label] = 1

    def forward(self, input_ids: torch.Tensor, **rest: torch.Tensor) -> TokenClassifierOutput:
        return TokenClassifierOutput(logits=self.table[input_ids])


@pytest.mark.parametrize("limit", [8, 9, 10, 32])
def test_an_oracle_misses_what_it_does_not_read_and_nothing_else(
    tiny_model: str, task: dict[str, Any], limit: int
) -> None:
    asked = spec(tiny_model, task, max_length=limit)
    reader, data = batches.tokenizer(tiny_model), batches.load(asked.declared, asked.data)
    known = {}
    for row in data.report:
        for word, tag in zip(row["words"], row["tags"], strict=True):
            known[reader(word, add_special_tokens=False)["input_ids"][0]] = tag
    skeleton = methods.apply(models.skeleton(tiny_model, 5, tagged=True), "lora")
    kind, size = Tagged(asked, device.accelerator(), skeleton), len(reader)
    split = kind.reported
    loader = batches.scoring_loader(split, reader, batch_size=7)
    said = kind.answers(Oracle(known, size, 5), loader, split)
    for row, answer in enumerate(said):
        tags, read = split.tagged[row]
        assert tags.tolist() == data.report["tags"][row]  # in the order of the split
        assert answer.tolist() == np.where(read, tags, 0).tolist()
    found = tasks.score(asked.declared, said, [split.tagged[row][0] for row in range(len(split))])
    assert found["span_precision"] == 1
    assert (found["span_recall"] == 1) == (limit == 32)


def test_the_loss_of_a_batch_is_the_mean_over_its_labelled_tokens() -> None:
    """In parts of any number of rows, whose words differ in number."""
    found = []
    for rows in (None, 1, 2, 3):
        model = tiny("bert", "tag", dtype=torch.float64)  # in evaluation mode, without dropout
        batch = text(model, (9, 3, 5, 7, 1))
        labels = torch.full(batch["input_ids"].shape, optimisation.IGNORED)
        for row, count in enumerate((4, 3, 1, 2, 1)):
            labels[row, :count] = torch.arange(count) % 3
        gradients: dict[str, torch.Tensor] = {}
        made = torch.optim.SGD(model.parameters(), lr=0.0)
        keep_gradients(made, model, gradients)
        whole = {**batch, "labels": labels}
        loss = optimisation.training_step(device.accelerator(), model, made, whole, 1e9, micro_batch=rows)
        with torch.no_grad():
            logits = model(**batch).logits
        real = labels != optimisation.IGNORED
        torch.testing.assert_close(loss, nn.functional.cross_entropy(logits[real], labels[real]))
        found.append(gradients)
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        for name, value in other.items():
            torch.testing.assert_close(value, found[0][name], rtol=1e-9, atol=1e-12)


def keep_gradients(made: Any, model: nn.Module, into: dict[str, torch.Tensor]) -> None:
    """Let an optimiser's step copy the gradients that it is given."""

    def copied(*call: Any) -> None:
        into.update({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})

    made.register_step_pre_hook(copied)


@pytest.mark.parametrize("method", ["head", "top_layers"])
@pytest.mark.parametrize("architecture", ["bert", "modernbert", "gpt2", "qwen3", "t5"])
def test_states_that_are_kept_give_the_same_gradients(architecture: str, method: str) -> None:
    adapted = apply(tiny(architecture, "tag", dtype=torch.float64), method)
    perturb(adapted)
    batch = text(adapted.model, (9, 4, 6))
    model = frozen.behind(adapted, batch)
    assert isinstance(model, Behind)
    assert model.stands_in or architecture == "t5"
    labels = batch["input_ids"].remainder(3).masked_fill(batch["attention_mask"] == 0, optimisation.IGNORED)

    def gradients(called: nn.Module, **more: torch.Tensor) -> dict[str, torch.Tensor]:
        adapted.model.zero_grad(set_to_none=True)
        called(**batch, labels=labels, **more).loss.backward()
        return {name: p.grad for name, p in adapted.model.named_parameters() if p.grad is not None}

    whole = gradients(adapted.model)
    states = {}
    if model.stands_in:
        states["states"] = model.states_of(batch) * batch["attention_mask"].unsqueeze(-1)
    for name, value in gradients(model, **states).items():
        torch.testing.assert_close(value, whole[name], rtol=1e-9, atol=1e-12)


def test_a_front_that_is_kept_changes_no_score(
    tiny_model: str, task: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = spec(tiny_model, task, "head", steps=8, evaluate_every=4)
    kept = run_trial(asked)
    monkeypatch.setattr(frozen, "TOLERANCE", -1.0)  # nothing stands in
    anew = run_trial(asked)
    assert kept.training is not None
    assert anew.training is not None
    assert (kept.training.reused_blocks, anew.training.reused_blocks) == (2, 0)
    assert kept.scores == anew.scores
    for one, other in zip(kept.curve, anew.curve, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)


def test_sentences_of_which_nothing_is_read_are_not_trained_on(tiny_model: str, tmp_path: Path) -> None:
    own = own_task(tmp_path)
    with (tmp_path / "train.conll").open("a") as stream:
        stream.write("\n\n\u200d B-PER\n\n\ufeff O\n")
    asked = spec(tiny_model, own, steps=8, evaluate_every=4, batch_size=2, micro_batch=1)
    record = run_trial(asked)
    assert record.status == "completed", record.message
    assert record.task is not None
    read = sum(batches.load(asked.declared, asked.data).sizes[name] for name in ("train", "selection"))
    unread = 62 - (record.task.sizes.train or 0) - (record.task.sizes.selection or 0)
    assert read == 62
    assert 0 < unread <= 2


@pytest.mark.parametrize("architecture", ["bert", "llama", "t5"])
def test_a_head_of_the_same_tags_is_mapped_and_any_other_is_drawn(architecture: str, tmp_path: Path) -> None:
    labels = tasks.get("conll2003").labels
    theirs = dict(enumerate(label.lower() for label in reversed(labels)))
    own = build(architecture, "tag", num_labels=9)
    own.config.id2label = theirs
    own.save_pretrained(tmp_path)
    seed(0)
    model = models.classifier(str(tmp_path), tasks.get("conll2003"))
    assert heads.origin(model) == heads.MAPPED
    batch = text(own)
    ours, before = (answers(one, batch) for one in (model, own))
    torch.testing.assert_close(ours, before.flip(-1))
    own.config.id2label = {number: f"LABEL_{number}" for number in range(9)}
    own.save_pretrained(tmp_path / "other")
    assert heads.origin(models.classifier(str(tmp_path / "other"), tasks.get("conll2003"))) == heads.REPLACED


def answers(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch).logits


def test_the_counts_of_a_record_are_those_of_a_head_on_every_token() -> None:
    from runners.share import validation

    options = methods.get("lora").options()
    found = validation._expected("embedded", "lora", options, 9, True).counts
    assert found["head"] == 9 * 384 + 9
    pooled = validation._expected("embedded", "lora", options, 9, False).counts
    assert pooled["base"] - found["base"] == 384 * 384 + 384  # there is no pooler


def test_what_cannot_label_words_is_refused_before_the_first_trial(
    tiny_model: str, task: dict[str, Any], tmp_path: Path
) -> None:
    checking.check_tagging(tiny_model, [spec(tiny_model, task)])
    build("bart", "classify").save_pretrained(tmp_path)
    batches.tokenizer(tiny_model).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"\(bart\) has no head in transformers that labels every word"):
        models.skeleton(str(tmp_path), 5, tagged=True)


def test_what_is_told_of_own_data_is_of_words(tiny_model: str, task: dict[str, Any]) -> None:
    found = preparing.resolve(task)
    counts = own_data.label_counts(found)
    assert sum(counts["report"]) == sum(map(len, found.data.report["tags"]))
    assert own_data.majority(found)["span_f1"] == 0
    lengths = own_data.lengths(found, tiny_model)["train"]
    assert lengths.longest >= 12
    assert lengths.cut[64] == 0
