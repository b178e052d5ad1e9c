"""Scored pairs a second beside `generate` and sentence-transformers' CrossEncoder, on the same rows, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.scoring_speed --pairs data/original/qi/train.parquet
    python -m benchmarks.scoring_speed --shape qwen3-8b --template alpaca --batch-size 256 --folder /dev/shm  # on a GPU

The model has the nano base's shape, or that of a published model, and random weights: what scoring costs does not
depend on what a model knows. Weights of a published shape are bf16; all ways read the same files, the CrossEncoder as a
Qwen3ForSequenceClassification.
*ours* is `babelshelf.score.scorer.score_pairs` with the section `score` of params.yaml. *generate* is
`generate(max_new_tokens=1)` on batches of 32 prompts by input order, in the type of the saved weights, with p(yes) from
its logits. *CrossEncoder* is sentence-transformers' `predict` on a Qwen3ForSequenceClassification of the same backbone,
at the fastest of KINDS and the batch sizes on the first 2,000 rows. It gets query and candidate without our prompt
around them, which is fewer tokens.

All begin with rows and end with numbers: texts are encoded in the time that counts. Each is run --rounds times in turn,
and its best round counts; where there is no GPU, by the CPU time, so that busy neighbours count for less.

The share of the peak is of the FLOPs that a causal LM needs for the tokens that are no padding, with a head for what is
read (two answers, or a class), over those of the fastest square `torch.matmul` of this run in the same precision.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase, Qwen3Config, Qwen3ForSequenceClassification

from babelshelf.base_model.nano_lm import new_model, train_tokenizer
from babelshelf.base_model.params import BaseModelParams, NanoLmParams
from babelshelf.core.params import load
from babelshelf.core.rows import read_rows
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.llm.params import fastest_precision
from babelshelf.llm.prompts import Template, answer_ids, encode, load_template
from babelshelf.score.backends.transformers import Params
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import Scorer, load_scorer, score_pairs
from babelshelf.trainer.models import save
from benchmarks import shapes

NANO = "nano"
MAX_LENGTH = 512
VOCABULARY = 8192  # of the tokenizer that is trained on the prompts of a published shape
KINDS = tuple(product(("eager", "sdpa"), ("fp32", "bf16")))  # of CrossEncoders that are tried: attention, dtype
BATCH_SIZES = (32, 64, 128, 256, 512)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
SQUARES = (
    (512, 1024, 2048, 8192) if torch.cuda.is_available() else (512, 1024, 2048)
)  # sides of the matrices whose product is the peak

Way = Callable[[pl.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Timed:
    """Seconds by the wall's clock, and of CPU time."""

    wall: float
    cpu: float

    @property
    def counted(self) -> float:
        """Those that two ways are compared by."""
        return self.wall if torch.cuda.is_available() else self.cpu


@dataclass(frozen=True)
class Contender:
    """A way to score rows, with the precision of its products and the FLOPs that all rows need."""

    score: Way
    precision: str
    flops: float


@click.command(help=__doc__)
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), default="data/original/qi/train.parquet")
@click.option("--count", default=20_000)
@click.option("--rounds", default=3)
@click.option("--shape", type=click.Choice([NANO, *sorted(shapes.SHAPES)]), default=NANO)
@click.option("--template", default="short", help="a folder of prompts/")
@click.option("--batch-size", "sizes", multiple=True, default=BATCH_SIZES, help="of the CrossEncoder, to be tried")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="for the weights while this runs")
def main(
    *, pairs: Path, count: int, rounds: int, shape: str, template: str, sizes: tuple[int, ...], folder: Path | None
) -> None:
    rows = read_rows(pairs).head(count)
    settings, prompt = load(ScoreParams, "score"), load_template(Path("prompts", template, f"{rows['task'][0]}.txt"))
    with tempfile.TemporaryDirectory(dir=folder) as temporary, ExitStack() as stack:
        if shape == NANO:
            models = save_models(Path(temporary), rows, prompt, load(BaseModelParams, "base_model").lm.nano)
        else:
            models = save_shape(Path(temporary), rows, prompt, shape)
        scorer = stack.enter_context(load_scorer(models.base, models.scored, settings))
        contenders, chosen = _contenders(rows, models, prompt, scorer, settings, sizes=sizes)
        best, peaks = compare(rows, contenders, rounds)
    click.echo(f"{len(rows)} pairs, {torch.get_num_threads()} thread(s); CrossEncoder: {chosen}")
    click.echo("peak: " + ", ".join(f"{name} {flops / 1e9:.0f} GFLOP/s" for name, flops in peaks.items()))
    for line in _table(len(rows), contenders, best, peaks):
        click.echo(line)


@dataclass(frozen=True)
class Models:
    """Folders with the same random weights: of a base model, of the model that is scored, of a classifier."""

    base: Path
    scored: Path
    classifier: Path


def save_models(folder: Path, rows: pl.DataFrame, prompt: Template, shape: NanoLmParams) -> Models:
    """Models of the nano base's shape."""
    tokenizer = train_tokenizer(_texts(rows, prompt), shape.vocab_size)
    lm = new_model(tokenizer, shape, seed=1)
    classifier = Qwen3ForSequenceClassification(Qwen3Config(**lm.config.to_dict() | {"num_labels": 1}))
    classifier.model.load_state_dict(lm.model.state_dict())
    models = Models(folder / "base", folder / "model", folder / "classifier")
    lm.save_pretrained(models.base)
    save(lm, models.scored, _prompt_file(prompt))
    classifier.save_pretrained(models.classifier)
    for one in (models.base, models.classifier):
        tokenizer.save_pretrained(one)
    return models


def save_shape(folder: Path, rows: pl.DataFrame, prompt: Template, shape: str) -> Models:
    """A model of a published shape in one folder, as it may have tens of GB; a classifier's head is made at load."""
    size = min(VOCABULARY, shapes.SHAPES[shape]["vocab_size"])
    base = shapes.save_base(folder / "base", shape, torch.bfloat16, train_tokenizer(_texts(rows, prompt), size))
    (base / "prompt.json").write_text(json.dumps(_prompt_file(prompt)), encoding="utf-8")
    return Models(base, base, base)


def _texts(rows: pl.DataFrame, prompt: Template) -> Iterator[str]:
    return (prompt.render(row) + answer for row in rows.to_dicts() for answer in (prompt.no, prompt.yes))


def _prompt_file(prompt: Template) -> dict[str, Any]:
    return {"template": prompt.source, "max_length": MAX_LENGTH}


def _contenders(
    rows: pl.DataFrame,
    models: Models,
    prompt: Template,
    scorer: Scorer,
    settings: ScoreParams,
    *,
    sizes: Sequence[int],
) -> tuple[dict[str, Contender], str]:
    tokenizer = load_tokenizer(models.base)
    config = Qwen3Config.from_pretrained(models.scored)
    saved = "bf16" if config.dtype == torch.bfloat16 else "fp32"
    prompts = [len(ids) for ids in encode(rows, prompt, tokenizer, MAX_LENGTH).ids]
    pairs = [len(ids) for ids in tokenizer(rows["query"].to_list(), rows["candidate"].to_list())["input_ids"]]
    kinds = [one for one in KINDS if saved == "fp32" or one == ("sdpa", saved)]  # the others take minutes to lose
    if saved == "fp32" and fastest_precision() == "fp32":  # bf16 is emulated: some 30 times slower
        kinds = [one for one in kinds if one[1] == "fp32"]
    attention, precision, size = fastest_cross_encoder(rows.head(2000), models.classifier, kinds, sizes)
    contenders = {
        "generate": Contender(generate(models.scored, tokenizer, prompt), saved, needed_flops(config, prompts, 2)),
        "CrossEncoder": Contender(
            cross_encoder(load_cross_encoder(models.classifier, attention, precision), size),
            precision,
            needed_flops(config, pairs, 1),
        ),
        "ours": Contender(ours(scorer), settings.own(Params).precision, needed_flops(config, prompts, 2)),
    }
    return contenders, f"{attention}, {precision}, batches of {size}"


# --- ways to score ---


def ours(scorer: Scorer) -> Way:
    """p(yes) by this project's scorer; nothing that an earlier round finished is taken."""

    def score(rows: pl.DataFrame) -> np.ndarray:
        with tempfile.TemporaryDirectory() as done:
            return score_pairs(rows, scorer, Path(done) / "done")

    return score


def generate(model: Path, tokenizer: PreTrainedTokenizerBase, prompt: Template) -> Way:
    """p(yes) from the logits of the one token that `generate` makes."""
    lm = AutoModelForCausalLM.from_pretrained(model).to(_device()).eval()
    answers = list(answer_ids(prompt, tokenizer))

    def score(rows: pl.DataFrame) -> np.ndarray:
        found = []
        for start in range(0, len(rows), 32):
            texts = [prompt.render(row) for row in rows[start : start + 32].to_dicts()]
            batch = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False).to(lm.device)
            told = lm.generate(
                **batch, max_new_tokens=1, do_sample=False, output_logits=True, return_dict_in_generate=True
            )
            found.append(torch.softmax(told.logits[0][:, answers].double(), dim=-1)[:, 1].cpu().numpy())
        return np.concatenate(found)

    return score


def load_cross_encoder(folder: Path, attention: str, precision: str) -> CrossEncoder:
    """A classifier, or a causal LM with a classifier's head that is made at load."""
    options = {"attn_implementation": attention, "dtype": DTYPES[precision]}
    return CrossEncoder(str(folder), num_labels=1, model_kwargs=options, max_length=MAX_LENGTH, device=str(_device()))


def cross_encoder(encoder: CrossEncoder, batch_size: int) -> Way:
    """The relevance that a classifier gives to query and candidate."""

    def score(rows: pl.DataFrame) -> np.ndarray:
        pairs = list(zip(rows["query"], rows["candidate"], strict=True))
        scores: np.ndarray = encoder.predict(pairs, batch_size=batch_size, show_progress_bar=False)
        return scores

    return score


def fastest_cross_encoder(
    rows: pl.DataFrame, folder: Path, kinds: Sequence[tuple[str, str]], sizes: Sequence[int]
) -> tuple[str, str, int]:
    """The attention, precision and batch size that score the rows in the least time, of two tries each.

    Each kind is loaded once for all sizes, as it may have tens of GB. A single choice is not tried.
    """
    if len(kinds) == len(sizes) == 1:
        return *kinds[0], sizes[0]
    seconds: dict[tuple[str, str, int], float] = {}
    for kind in kinds:
        encoder = load_cross_encoder(folder, *kind)
        for size in sizes:
            seconds[*kind, size] = min(timed(cross_encoder(encoder, size), rows).counted for _ in range(2))
    return min(seconds, key=lambda settings: seconds[settings])


# --- measures ---


def compare(
    rows: pl.DataFrame, contenders: dict[str, Contender], rounds: int
) -> tuple[dict[str, Timed], dict[str, float]]:
    """The best time of each contender, and the best peak of each precision that one has, of rounds in turn."""
    best: dict[str, Timed] = {}
    peaks = {contender.precision: 0.0 for contender in contenders.values()}
    for _ in range(rounds):
        for name, contender in contenders.items():
            taken = timed(contender.score, rows)
            best[name] = min(taken, best.get(name, taken), key=lambda one: one.counted)
        peaks = {name: max(flops, peak(DTYPES[name])) for name, flops in peaks.items()}
    return best, peaks


def timed(score: Way, rows: pl.DataFrame) -> Timed:
    wall, cpu = time.perf_counter(), time.process_time()
    score(rows)
    return Timed(time.perf_counter() - wall, time.process_time() - cpu)


def peak(dtype: torch.dtype) -> float:
    """FLOPs a second of the fastest square product, over some sizes and tries."""
    return max(_product(side, dtype) for side in SQUARES for _ in range(3))


def _product(side: int, dtype: torch.dtype) -> float:
    left, right = (torch.randn(side, side, device=_device(), dtype=dtype) for _ in range(2))

    def multiply(_: pl.DataFrame) -> np.ndarray:
        return np.array((left @ right)[0, 0].item())  # what is read waits for a GPU

    multiply(pl.DataFrame())
    return 2 * side**3 / timed(multiply, pl.DataFrame()).counted


def needed_flops(config: Qwen3Config, lengths: Sequence[int], outputs: int) -> float:
    """FLOPs of a causal LM's forward pass over texts of these lengths (tokens), with `outputs` numbers read of each.

    A weight takes 2 FLOPs a token, attention two products of 2 FLOPs a token, layer, channel and position that is
    seen, which is half of the positions.
    """
    tokens = np.array(lengths, dtype=np.float64)
    weights = sum(wide * high for wide, high in shapes.layer_maps(config))
    attention = 2 * 2 * config.num_attention_heads * config.head_dim * tokens / 2
    layers = config.num_hidden_layers * tokens * (2 * weights + attention)
    return float((layers + 2 * config.hidden_size * outputs).sum())


def _table(
    rows: int, contenders: dict[str, Contender], best: dict[str, Timed], peaks: dict[str, float]
) -> Iterator[str]:
    yield "| way | pairs/s | by wall time | times generate | times CrossEncoder | MFLOP a pair | of the peak |"
    yield "| :-- | --: | --: | --: | --: | --: | --: |"
    for name, contender in contenders.items():
        taken = best[name].counted
        ratios = " | ".join(f"{best[other].counted / taken:.1f}" for other in ("generate", "CrossEncoder"))
        share = contender.flops / taken / peaks[contender.precision]
        yield (
            f"| {name} | {rows / taken:,.0f} | {rows / best[name].wall:,.0f} | {ratios} "
            f"| {contender.flops / rows / 1e6:.1f} | {share:.0%} of {contender.precision} |"
        )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()
