"""What decides the speed of the backend `transformers` of translate: batch size, order by length, decoding.

    OMP_NUM_THREADS=1 python -m benchmarks.translation_batches
    OMP_NUM_THREADS=1 python -m benchmarks.translation_batches --queries 16 --steps 4 --batch-size 8    # a minute

A random model of Seed-X's architecture with some 5 million weights translates the demo's queries; queries a
second of processor time, so that a busy machine disturbs little. Random weights seldom end a reply, so each takes
`--steps` steps: real ones end earlier, and padding then matters less than here.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import click
import torch
from transformers import AutoModelForCausalLM

from babelshelf.core.params import read, section
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.translate.backends.transformers import Params
from babelshelf.translate.backends.transformers.generator import TransformersGenerator
from babelshelf.translate.causal_lm import render
from babelshelf.translate.params import BACKENDS, TranslateParams
from tests.helpers import tiny_mistral

BATCHES = (1, 8, 32, 128)


def settings(folder: Path, decoding: str, batch_size: int, steps: int) -> Params:
    values = read(Path("profiles/nano.yaml"))["translate"]
    own = {"model": str(folder), "decoding": decoding, "max_tokens": steps, "batch_size": batch_size}
    values |= {"backend": "transformers", "transformers": BACKENDS.defaults("transformers") | own}
    values |= {"rows_per_language": 1}
    return section(TranslateParams, {"translate": values}, "translate", None).own(Params)


def prompts(folder: Path, count: int) -> list[list[int]]:
    """Of the demo's names, one to six words, as queries are."""
    lines = Path("data/demo/glossary.tsv").read_text(encoding="utf-8").splitlines()[1:]
    names = [name for line in lines if (name := line.split("\t")[0])]
    draw = random.Random(1)
    template = BACKENDS.defaults("transformers")["prompt"]
    texts = [render(template, " ".join(draw.choices(names, k=draw.randint(1, 6))), "en", "de") for _ in range(count)]
    found: list[list[int]] = load_tokenizer(folder)(texts)["input_ids"]
    return found


def queries_a_second(folder: Path, asked: list[list[int]], own: Params) -> tuple[float, float]:
    """In the order of length, and, for comparison, in batches of the order in which they come."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    made = TransformersGenerator(model, load_tokenizer(folder), own)
    made.generate(asked[:2])  # what the first call alone takes
    start = time.process_time()
    made.generate(asked)
    ordered = time.process_time()
    for first in range(0, len(asked), own.batch_size):
        made.generate(asked[first : first + own.batch_size])
    return len(asked) / (ordered - start), len(asked) / (time.process_time() - ordered)


@click.command(help=__doc__)
@click.option("--queries", type=click.IntRange(min=2), default=256, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=16, show_default=True, help="tokens of a translation")
@click.option("--batch-size", "batches", multiple=True, type=click.IntRange(min=1), default=BATCHES, show_default=True)
def main(*, queries: int, steps: int, batches: tuple[int, ...]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = tiny_mistral.save(Path(name), hidden_size=256, layers=6)
        asked = prompts(folder, queries)
        print("| decoding | batch | by length | as they come |", "|:--|--:|--:|--:|", sep="\n")
        for decoding in ("greedy", "beam"):
            for batch_size in batches:
                own = settings(folder, decoding, batch_size, steps)
                ordered, unordered = queries_a_second(folder, asked, own)
                print(f"| {decoding} | {batch_size} | {ordered:.1f} | {unordered:.1f} |", flush=True)


if __name__ == "__main__":
    main()
