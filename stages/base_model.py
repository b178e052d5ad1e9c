"""Make the base LM and the embedder from the catalogue's unlabelled text, or point to those that params.yaml names.

\b
    python -m stages.base_model --catalogue data/catalogue ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from babelshelf.base_model import nano_embedder, nano_lm
from babelshelf.base_model.params import BaseLmParams, BaseModelParams
from babelshelf.core.files import replacing
from babelshelf.core.params import load, load_seed
from babelshelf.core.partial_work import partial_work
from babelshelf.core.rows import read_table
from babelshelf.llm import base_model
from babelshelf.llm.params import NANO, NEWEST, SourceParams, is_folder
from babelshelf.llm.prompts import Template, answer_ids, load_template
from babelshelf.llm.versions import EMBEDDER_PACKAGES, write_versions
from babelshelf.runtime import screen
from babelshelf.runtime.stage import stage


@click.command(help=__doc__)
@click.option("--catalogue", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--prompts", type=click.Path(path_type=Path), required=True)
@click.option("--lm", type=click.Path(path_type=Path), required=True)
@click.option("--embedder", type=click.Path(path_type=Path), required=True)
@stage("base_model", writes="lm")
def main(*, catalogue: Path, prompts: Path, lm: Path, embedder: Path) -> str:
    settings, seed = load(BaseModelParams, "base_model"), load_seed()
    text = catalogue / "text.parquet"
    templates = {task: load_template(prompts / f"{task}.txt") for task in ("qc", "qi")}
    if settings.lm.model == NANO:
        make_lm(text, templates, settings.lm, seed, lm)
    else:
        point("lm", settings.lm, lm)
        tokenizer = base_model.load_tokenizer(lm)
        for template in templates.values():
            answer_ids(template, tokenizer)  # raises what training would raise after minutes
    if settings.embedder.model == NANO:
        with replacing(embedder) as folder:
            nano_embedder.build(read_table(text), settings.embedder.nano, seed).save(str(folder))
            write_versions(folder, EMBEDDER_PACKAGES)
    else:
        point("embedder", settings.embedder, embedder)
    return f"LM {settings.lm.model}, embedder {settings.embedder.model}"


def make_lm(text: Path, templates: Mapping[str, Template], settings: BaseLmParams, seed: int, out: Path) -> None:
    """Train the nano LM on the catalogue's text and save it."""
    texts = read_table(text)
    with partial_work("base_model", text, templates, settings.nano, seed) as checkpoints:
        model, tokenizer = nano_lm.pretrain(texts, templates, settings.nano, seed, checkpoints)
        with replacing(out) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            write_versions(folder)


def point(name: str, source: SourceParams, out: Path) -> None:
    """Write a pointer to a folder, or to a model of the hub, which is downloaded; say what a branch was resolved to."""
    if is_folder(source.model):
        base_model.write(out, base_model.to_folder(source.model))
        return
    pointer = base_model.to_hub(source.model, None if source.revision == NEWEST else source.revision)
    base_model.write(out, pointer)
    if source.revision == NEWEST:
        screen.echo(f"{source.model} is not pinned: set base_model.{name}.revision to {pointer['revision']}")


if __name__ == "__main__":
    main()
