"""A fine-tuned LM to export, and rows in many languages that other tools might read in other ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch
from peft import LoraConfig, get_peft_model

from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.core.files import write_json
from babelshelf.llm.base_model import identity
from babelshelf.trainer.models import save
from tests.helpers import causal_lms, tiny_lm

MAX_LENGTH = 160
# Greatest difference of p(yes) in bf16 from fp32: a number of bf16 has 8 significant bits, so each layer's output is
# rounded by up to 1 part in 512. Our own scores of these models in bf16 differ from those in fp32 by up to 0.011; it is
# about twice that, as an export's weights are rounded after an adapter is merged, and ours before.
BF16_TOLERANCE = 0.02
PROMPTS = {  # the candidate before the query, as in prompts/short, and after it, as in prompts/alpaca
    "query_last": "{language}: {candidate} < {query} ? {answer}",
    "candidate_last": 'A {kind}?\n"{{x}}" {language_name}\nQuery: {query}\n{kind_title}: {candidate}\n\n {answer}',
}
TEXTS = {
    "en": ("red shoes", "Running Shoes, size 42"),
    "de": ("Größe 38 weiß", "Straßenschuhe für Damen"),
    "fr": ("chaussures d'été", "Sandales « Été » 38"),
    "es": ("zapatillas niño", "Zapatos > Niños"),
    "ja": ("赤い靴", "ランニングシューズ 26.5cm"),
    "ko": ("빨간 운동화", "운동화 270mm"),
    "th": ("รองเท้าวิ่ง", "รองเท้า > รองเท้ากีฬา"),
    "ar": ("حذاء أحمر", "أحذية > أحذية رياضية"),
    "vi": ("giày chạy bộ", "Giày thể thao nữ"),
    "pl": ("żółte buty", "Buty > Trekkingowe"),
    "it": ("perché scarpe", "Scarpe da città"),
    "pt": ("tênis vermelho", "Calçados > Tênis"),
    "id": ("sepatu lari", "Sepatu {{ 7 }} {% raw %} 100%"),
}
LONG = " ".join(["waterproof trail shoe 赤い靴 größe"] * 30)


def rows() -> pl.DataFrame:
    """Each query with each candidate, with special tokens in both, and candidates that fit into no prompt."""
    queries = [(language, f"{query}{end}") for language, (query, _) in TEXTS.items() for end in ("", " 42")]
    queries += [("en", f"gift {causal_lms.BOS} card"), ("de", f"a{causal_lms.EOS}"), ("en", ' "x" \\n ')]
    candidates = [candidate for _, candidate in TEXTS.values()]
    candidates += [
        "https://shop.example/a.jpg",
        f"pan {causal_lms.EOS}",
        f"{causal_lms.BOS}{causal_lms.EOS}",
        LONG,
        f"{LONG} pan",
    ]
    pairs = [(language, query, candidate) for language, query in queries for candidate in candidates]
    return pl.DataFrame(pairs, schema=["language", "query", "candidate"], orient="row").select(
        id=pl.format("r{}", pl.int_range(pl.len())),
        task=pl.lit("qi"),
        language="language",
        query="query",
        candidate="candidate",
        label=pl.lit(1, pl.Int8),
        origin=pl.lit("original"),
        parent_id=pl.lit(None, pl.String),
        group="query",
    )


def model(folder: Path, prompt: str, **changes: object) -> ExportedModel:
    """A base model whose tokenizer begins with BOS, and an adapter that moves most answers."""
    base = causal_lms.save_base("qwen3", folder / "base" / "lm", **changes)
    made = get_peft_model(
        causal_lms.load(base), LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=16, target_modules="all-linear")
    )
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.05)
    record = {"variant": "negatives", "template": PROMPTS[prompt], "max_length": MAX_LENGTH, "base": identity(base)}
    save(made, folder / "adapter", record)
    write_json(folder / "calibrate.json", {"threshold": 0.4, "thresholds": {"de": 0.3}, "variant": "negatives"})
    return ExportedModel("qi", folder / "base", folder / "adapter", folder / "calibrate.json", folder / "evaluate.json")


def p_yes(source: ExportedModel, some: pl.DataFrame) -> np.ndarray:
    """Our own p(yes) of some rows."""
    scores = tiny_lm.scored(source.base, source.model, tiny_lm.score_params(), some)
    assert np.quantile(scores, 0.9) - np.quantile(scores, 0.1) > 0.1  # or any prompt would do
    return scores
