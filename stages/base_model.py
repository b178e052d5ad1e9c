"""Make the base LM and the embedder from the catalogue's unlabelled text, or point to those that params.yaml names.

\b
    python -m stages.base_model --catalogue data/catalogue ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf import nano_embedder, nano_lm, pointer, preflight, tables
from babelshelf.files import replacing
from babelshelf.fingerprint import partial_work
from babelshelf.params.base_model import NANO, NEWEST, BaseModelParams, LmParams, SourceParams, is_folder
from babelshelf.params.load import load, load_seed
from babelshelf.resources import recorded


@click.command(help=__doc__)
@click.option("--catalogue", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--lm", type=click.Path(path_type=Path), required=True)
@click.option("--embedder", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, catalogue: Path, lm: Path, embedder: Path) -> None:
    preflight.require("base_model")
    settings, seed = load(BaseModelParams, "base_model"), load_seed()
    text = catalogue / "text.parquet"
    if settings.lm.model == NANO:
        make_lm(text, settings.lm, seed, lm)
    else:
        point("lm", settings.lm, lm)
    if settings.embedder.model == NANO:
        with replacing(embedder) as folder:
            nano_embedder.build(tables.read_table(text), settings.embedder.nano, seed).save(str(folder))
    else:
        point("embedder", settings.embedder, embedder)


def make_lm(text: Path, settings: LmParams, seed: int, out: Path) -> None:
    """Train the nano LM on the catalogue's text and save it."""
    texts = tables.read_table(text)
    with partial_work("base_model", text, settings.nano, seed) as checkpoints:
        model, tokenizer = nano_lm.pretrain(texts, settings.nano, seed, checkpoints)
        with replacing(out) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)


def point(name: str, source: SourceParams, out: Path) -> None:
    """Write a pointer to a folder, or to a model of the hub, which is downloaded; say what a branch was resolved to."""
    if is_folder(source.model):
        pointer.write(out, pointer.to_folder(source.model))
        return
    found = pointer.to_hub(source.model, None if source.revision == NEWEST else source.revision)
    pointer.write(out, found)
    if source.revision == NEWEST:
        click.echo(f"{source.model} is not pinned: set base_model.{name}.revision to {found['revision']}")


if __name__ == "__main__":
    main()
