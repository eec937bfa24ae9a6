"""Show that exported folders load in old and new versions of the PEFT library, for the same logits.

    python tests/peft_versions.py [--folder FOLDER] [VERSION ...]

Every method that peft has an equal of is exported from small random models, with their base and their
logits. Each version of :data:`VERSIONS`, or those that are named, then loads the folders in an environment of
its own with a transformers of its time, made in FOLDER unless it is there, and its logits are compared. One
line a version; exit code 0: all are equal. It takes minutes and some gigabytes, so it is no part of the
tests; they hold `adapter_config.json` to names that the first version knows
(`tests/methods/peft/test_format.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

TORCH = "torch==2.13.0"
OF_2024 = ("transformers==4.46.3", "accelerate==0.34.2", "numpy<2")
VERSIONS: dict[str, tuple[str, ...]] = {
    "0.6.2": OF_2024,
    "0.7.1": OF_2024,
    "0.10.0": OF_2024,
    "0.13.2": OF_2024,
    "0.14.0": OF_2024,
    "0.17.1": ("transformers==4.57.1",),
    "0.19.0": ("transformers==4.57.1",),
    "0.21.2": ("transformers==5.23.0",),
}
"""A version of peft, and what it needs beside torch."""
CLASSIFY, CAUSAL, SEQ2SEQ = (
    "AutoModelForSequenceClassification",
    "AutoModelForCausalLM",
    "AutoModelForSeq2SeqLM",
)
CASES: list[tuple[str, str, str, dict[str, Any], str]] = [
    ("lora", "bert", CLASSIFY, {"rank": 2, "target": "query,value,output,down"}, "0.6"),
    ("lora", "gpt2", CLASSIFY, {"rank": 2, "target": "query,value,output"}, "0.6"),  # with a rank_pattern
    ("lora", "llama", CAUSAL, {"rank": 2, "rank_stabilized": True}, "0.8"),
    ("lora", "t5", SEQ2SEQ, {"rank": 2}, "0.6"),
    ("dora", "llama", CLASSIFY, {"rank": 2}, "0.9"),
    ("dora", "bert", CLASSIFY, {"rank": 2}, "0.9"),
    ("ia3", "bert", CLASSIFY, {}, "0.6"),
    ("ia3", "gpt2", CAUSAL, {}, "0.6"),
    ("ia3", "t5", SEQ2SEQ, {}, "0.6"),
    *(("prefix", kind, CLASSIFY, {"length": 3}, "0.6") for kind in ("gpt2", "opt", "llama")),
    *(("prefix", kind, CAUSAL, {"length": 3}, "0.6") for kind in ("gpt2", "opt", "llama")),
    *(("prompt", kind, CAUSAL, {"length": 3}, "0.6") for kind in ("gpt2", "opt", "llama")),
    ("prompt", "t5", SEQ2SEQ, {"length": 3}, "0.6"),
]
"""Method, model type, transformers' class, options, and the first version of peft that has it."""
BROKEN = {("prefix", CLASSIFY, "0.13")}
"""What a version cannot load even when it saved it itself: ``add_adapter() got an unexpected keyword``."""
SIZES: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "opt": {"hidden_size": 32, "word_embed_proj_dim": 32, "num_hidden_layers": 2, "ffn_dim": 48}
    | {"num_attention_heads": 4, "max_position_embeddings": 64},
    "llama": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    | {"num_key_value_heads": 2},
    "t5": {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    | {"decoder_start_token_id": 0},
}
LIMIT = 1e-4
"""Largest difference of a logit, which are a few units large: two versions of transformers in float32."""


def write(folder: Path) -> None:
    """Export every case, each into a folder with its base, its input and our logits."""
    import torch
    import transformers
    from safetensors.torch import save_file

    import methods

    transformers.logging.disable_progress_bar()
    for number, (name, kind, auto, options, since) in enumerate(CASES):
        torch.manual_seed(number)
        ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "vocab_size": 120}
        config = transformers.AutoConfig.for_model(kind, num_labels=3, **ids, **SIZES[kind])
        base = getattr(transformers, auto).from_config(config).eval()
        for parameter in base.parameters():  # larger, so that what a method changes shows in the logits
            parameter.data.add_(0.2 * torch.randn_like(parameter))
        case = folder / f"{number}-{name}-{kind}"
        base.save_pretrained(case / "base")
        made = methods.apply(base, name, **options)
        for parameter in made.trained().values():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
        made.export_peft(case / "adapter")
        ids = torch.randint(4, 120, (3, 7))
        ids[1, 4:] = 0
        inputs = {"input_ids": ids, "attention_mask": ids.ne(0).long()}
        inputs |= {"decoder_input_ids": ids[:, :4].contiguous()} if auto == SEQ2SEQ else {}
        with torch.no_grad():
            logits = made.model(**inputs).logits
        save_file(inputs | {"logits": logits.contiguous()}, case / "expected.safetensors")
        (case / "case.json").write_text(json.dumps({"method": name, "auto": auto, "since": since}))


def read(folder: Path) -> bool:
    """Load every case with the peft that runs this, and print what differs; whether nothing does."""
    warnings.filterwarnings("ignore")
    import peft
    import torch
    import transformers
    from safetensors.torch import load_file

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    version = peft.__version__.rpartition(".")[0]
    worst, loaded, faults = 0.0, 0, []
    for case in sorted(folder.iterdir()):
        about = json.loads((case / "case.json").read_text())
        too_old = float(version.replace("0.", "")) < float(about["since"].replace("0.", ""))
        if too_old or (about["method"], about["auto"], version) in BROKEN:
            continue
        expected = load_file(case / "expected.safetensors")
        logits = expected.pop("logits")
        try:
            base = getattr(transformers, about["auto"]).from_pretrained(case / "base")
            model = peft.PeftModel.from_pretrained(base, str(case / "adapter")).eval()
            with torch.no_grad():
                found = model(**expected).logits[:, -logits.shape[1] :]  # without the rows over a prompt
        except Exception as error:
            faults.append(f"{case.name}: {type(error).__name__}: {error}")
            continue
        kept = expected["attention_mask"].bool() if "CausalLM" in about["auto"] else ...
        difference = (found[kept] - logits[kept]).abs().max().item()
        loaded, worst = loaded + 1, max(worst, difference)
        if not difference < LIMIT:
            faults.append(f"{case.name}: a logit differs by {difference:.2g}")
    print(
        f"peft {peft.__version__}, transformers {transformers.__version__}: {loaded} folders load, logits "
        f"differ by at most {worst:.1g}"
    )
    print(*(f"    {fault}" for fault in faults), sep="\n", end="\n" if faults else "")
    return not faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("versions", nargs="*", choices=[*VERSIONS, []], metavar="VERSION", default=[])
    parser.add_argument("--folder", type=Path, help="where environments are made, and kept")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        sys.exit(not read(arguments.read))
    with tempfile.TemporaryDirectory() as temporary:
        cases, home = Path(temporary) / "cases", arguments.folder or Path(temporary)
        write(cases)
        chosen = arguments.versions or VERSIONS
        good = [_check(version, home / f"peft-{version}", cases) for version in chosen]
    sys.exit(not all(good))


def _check(version: str, environment: Path, cases: Path) -> bool:
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        install = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, TORCH], check=True)  # first and alone: an unpinned one pulls gigabytes
        subprocess.run([*install, TORCH, f"peft=={version}", *VERSIONS[version]], check=True)
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, __file__, "--read", cases], check=False, env=alone | {"HF_HUB_OFFLINE": "1"}
    )
    return done.returncode == 0


if __name__ == "__main__":
    main()
