"""Train the base LM on the catalogue's unlabelled text, or point to the LM or the embedder that params.yaml names.

\b
    python -m stages.base_model lm --catalogue data/catalogue ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from babelshelf.base_model.params import BaseLmParams, BaseModelParams, EmbedderParams
from babelshelf.core.files import replacing
from babelshelf.core.params import load, load_seed
from babelshelf.core.partial_work import partial_work
from babelshelf.core.rows import read_table
from babelshelf.encoder import builtin_encoders
from babelshelf.llm import base_model
from babelshelf.llm.params import NANO, NEWEST, SourceParams, is_folder
from babelshelf.llm.prompts import Template, answer_ids, load_template
from babelshelf.llm.versions import write_versions
from babelshelf.runtime import screen
from babelshelf.runtime.stage import stage


@click.command(help=__doc__)
@click.argument("which", type=click.Choice(["lm", "embedder"]))
@click.option("--catalogue", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--prompts", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@stage("base_model", writes="out")
def main(*, which: str, catalogue: Path, prompts: Path, out: Path) -> str:
    settings = load(BaseModelParams, "base_model")
    if which == "embedder":
        point_to_embedder(settings.embedder, out)
        return f"embedder {settings.embedder.model}"
    templates = {task: load_template(prompts / f"{task}.txt") for task in ("qc", "qi")}
    make_lm(catalogue / "text.parquet", templates, settings.lm, load_seed(), out)
    return f"LM {settings.lm.model}"


def make_lm(text: Path, templates: Mapping[str, Template], settings: BaseLmParams, seed: int, out: Path) -> None:
    """Train the nano LM on the catalogue's text and save it, or point to another LM."""
    if settings.model != NANO:
        point("lm", settings, out)
        tokenizer = base_model.load_tokenizer(out)
        for template in templates.values():
            answer_ids(template, tokenizer)  # raises what training would raise after minutes
        return
    from babelshelf.base_model import nano_lm  # noqa: PLC0415 - imports torch and TRL, which a pointer does not need

    with partial_work("base_model", text, templates, settings.nano, seed) as checkpoints:
        model, tokenizer = nano_lm.pretrain(read_table(text), templates, settings.nano, seed, checkpoints)
        with replacing(out) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            write_versions(folder)


def point_to_embedder(settings: EmbedderParams, out: Path) -> None:
    """Write a pointer to a built-in encoder, whose weights are checked, or to another embedder."""
    if builtin_encoders.is_builtin(settings.model):
        base_model.write(out, builtin_encoders.pointer(settings.model))
    else:
        point("embedder", settings, out)


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
