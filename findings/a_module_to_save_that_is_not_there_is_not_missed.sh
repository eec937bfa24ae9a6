#!/usr/bin/env bash
# Expected: a name in peft's modules_to_save that no module of the model has is an error, as it is in target_modules, or a
# warning, as in rank_pattern.
# True: it is taken without a word, trains nothing and saves nothing. A head that is called otherwise than one thinks stays as
# it was drawn, frozen. The same typing error in target_modules is a ValueError. Seen with peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import peft
from transformers import BertConfig, BertForSequenceClassification

print(f"peft {peft.__version__}")
SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def told(**asked) -> tuple[str, list[str]]:
    """What is said of it, and what of the head trains."""
    model = BertForSequenceClassification(BertConfig(**SIZES))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = peft.get_peft_model(model, peft.LoraConfig(**{"r": 2, "target_modules": ["query"], **asked}))
        except ValueError as error:
            return f"ValueError: {str(error)[:60]} ...", []
    said = [str(one.message)[:60] for one in caught if "peft" in one.filename]
    head = [name for name, p in model.named_parameters() if "classifier" in name and p.requires_grad]
    return (said or ["nothing"])[0], head


found = {
    "modules_to_save of classifier": told(modules_to_save=["classifier"]),
    "modules_to_save of clasifier": told(modules_to_save=["clasifier"]),
    "rank_pattern of clasifier": told(rank_pattern={"clasifier": 4}),
    "target_modules of clasifier": told(target_modules=["clasifier"]),
}
for asked, (said, head) in found.items():
    print(f"{asked}: it says {said}; of the head {len(head)} tensors train")
right, wrong, pattern, target = found.values()
as_seen = len(right[1]) == 2 and wrong == ("nothing", []) and "rank_pattern" in pattern[0]
sys.exit(0 if as_seen and target[0].startswith("ValueError") else 1)
PYTHON
