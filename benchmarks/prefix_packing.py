"""What scoring saves by packing prompts that begin alike: tokens that are computed, and seconds.

    OMP_NUM_THREADS=1 python -m benchmarks.prefix_packing --template alpaca
    OMP_NUM_THREADS=1 python -m benchmarks.prefix_packing --template alpaca --shape qwen3-0.6b --timed 64

Tokens are those of all `--count` pairs, sorted as the stage `score` sorts them. With `--timed`, the first of the sorted
prompts are scored packed and then in a row each, by a model with random weights in the fastest precision of the
machine, and the largest difference of p(yes) is shown. The tokenizer is trained on the prompts. Seconds are CPU time.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch

from babelshelf.base_model.nano_lm import train_tokenizer
from babelshelf.core.rows import read_rows
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.llm.params import fastest_precision
from babelshelf.llm.prompts import Template, as_series, encode, load_template
from babelshelf.score import prefix_packing
from babelshelf.score.backends.transformers import Params
from babelshelf.score.backends.transformers.scorer import TransformersScorer, load
from babelshelf.score.scorer import by_tokens
from benchmarks import shapes

VOCABULARY = 8192
MAX_LENGTH = 512
ROW_TOKENS = (64, 128, 256, 512, 1024)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@click.command(help=__doc__)
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), default="data/original/qi/train.parquet")
@click.option("--count", default=20_000)
@click.option("--template", default="alpaca", help="a folder of prompts/")
@click.option("--row-tokens", multiple=True, default=ROW_TOKENS, help="as score.transformers.row_tokens; several times")
@click.option("--shape", type=click.Choice(sorted(shapes.SHAPES)), default="qwen3-0.6b")
@click.option("--timed", default=0, help="prompts that are scored in both ways, at the last --row-tokens")
def main(*, pairs: Path, count: int, template: str, row_tokens: tuple[int, ...], shape: str, timed: int) -> None:
    rows = read_rows(pairs).head(count)
    prompt = load_template(Path("prompts", template, f"{rows['task'][0]}.txt"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = [prompt.render(row) + answer for row in rows.to_dicts() for answer in (prompt.no, prompt.yes)]
        train_tokenizer(texts, min(VOCABULARY, shapes.SHAPES[shape]["vocab_size"])).save_pretrained(folder)
        prompts = as_series(encode(rows, prompt, load_tokenizer(folder), MAX_LENGTH))
        ordered = prompts[by_tokens(prompts)]
        click.echo(f"{len(rows):,} pairs of {ordered.list.len().to_numpy().mean():.1f} tokens\n")
        click.echo("| row_tokens | computed tokens a pair |\n| --: | --: |")
        for tokens in row_tokens:
            packed = prefix_packing.rows(ordered.to_list(), tokens)
            click.echo(f"| {tokens} | {sum(len(row.ids) for row in packed) / len(rows):.1f} |")
        if timed:
            _time(folder, shape, prompt, ordered.head(timed).to_list(), row_tokens[-1])


def _time(folder: Path, shape: str, template: Template, prompts: list[list[int]], row_tokens: int) -> None:
    precision = fastest_precision()
    shapes.save_base(folder, shape, DTYPES[precision], load_tokenizer(folder))
    record = {"template": template.source, "max_length": MAX_LENGTH}
    (folder / "prompt.json").write_text(json.dumps(record), encoding="utf-8")
    own = {"batch_tokens": 8192, "row_tokens": row_tokens, "precision": precision, "weights": precision}
    with load(folder, folder, Params.model_validate(own | {"attention": "sdpa"})) as scorer:
        packed, seconds = _scored(scorer, list(prefix_packing.rows(prompts, row_tokens)))
        apart, seconds_apart = _scored(scorer, [_alone(prompt) for prompt in prompts])
    click.echo(
        f"\n{len(prompts)} prompts, {shape}, {precision}, {torch.get_num_threads()} thread(s): packed {seconds:.2f} s, "
        f"in a row each {seconds_apart:.2f} s; p(yes) differs by at most {np.abs(packed - apart).max():.1g}"
    )


def _alone(prompt: list[int]) -> prefix_packing.Row:
    row = prefix_packing.Row()
    row.add(prompt, shared=0)
    return row


def _scored(scorer: TransformersScorer, rows: Sequence[prefix_packing.Row]) -> tuple[np.ndarray, float]:
    """p(yes) of each prompt, and CPU seconds."""
    began = time.process_time()
    with torch.inference_mode():
        batches = prefix_packing.batches(rows, scorer.settings.batch_tokens)
        scores = torch.cat([scorer._batch(batch) for batch in batches]).cpu().numpy()
    return scores, time.process_time() - began


if __name__ == "__main__":
    main()
