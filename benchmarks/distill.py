"""Does a student gain from a teacher's scores, and how much faster is it?

    OMP_NUM_THREADS=1 python -m benchmarks.distill teacher --pairs pairs.csv --base models/gemma-3-270m --work WORK
    OMP_NUM_THREADS=1 python -m benchmarks.distill students --pairs pairs.csv --base models/gemma-3-270m --work WORK
    OMP_NUM_THREADS=1 python -m benchmarks.distill speed --pairs pairs.csv --base models/gemma-3-270m --work WORK

The data are the shops of `benchmarks.proxy_truth`: 1,500 labelled rows, and dev and test half in languages without
labels. `teacher` fine-tunes the LM in `--base` with LoRA, as `benchmarks.proxy_truth` does.
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import replacing
from babelshelf.core.partial_work import partial_work
from babelshelf.llm import base_model
from babelshelf.llm.prompts import load_template
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.trainer.models import save
from benchmarks.proxy_truth import data_sets
from benchmarks.proxy_truth.models import MAX_LENGTH, TEMPLATES, _sft_params

DATA = "shops"
SEED = 1  # of the teacher


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), required=True)
def teacher(*, pairs: Path, base: Path, work: Path) -> None:
    """Fine-tune the teacher."""
    rows, settings = data_sets.load(DATA, pairs).train, _sft_params(lora=True)
    template = load_template(Path("prompts", TEMPLATES["sft"], f"{data_sets.TASK}.txt"))
    with partial_work("benchmark-distill", rows["id"].to_list(), settings) as checkpoints:
        trained = fine_tune(rows, base, template, settings=settings, seed=SEED, checkpoints=checkpoints)
        prompt = {"template": template.source, "max_length": MAX_LENGTH, "base": base_model.identity(base)}
        with replacing(work / "teacher") as folder:
            save(trained.model, folder, prompt | {"variant": "original"})


if __name__ == "__main__":
    main()
