"""Make the base LM and the embedder from the catalogue's unlabelled text.

\b
    python -m stages.base_model --catalogue data/catalogue ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf import nano_embedder, nano_lm, tables
from babelshelf.files import replacing
from babelshelf.fingerprint import partial_work
from babelshelf.params.base_model import BaseModelParams
from babelshelf.params.load import load, load_seed
from babelshelf.resources import recorded


@click.command(help=__doc__)
@click.option("--catalogue", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--lm", type=click.Path(path_type=Path), required=True)
@click.option("--embedder", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, catalogue: Path, lm: Path, embedder: Path) -> None:
    settings, seed = load(BaseModelParams, "base_model"), load_seed()
    texts = tables.read_table(catalogue / "text.parquet")
    with partial_work("base_model", catalogue / "text.parquet", settings.lm, seed) as checkpoints:
        model, tokenizer = nano_lm.pretrain(texts, settings.lm, seed, checkpoints)
        with replacing(lm) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    with replacing(embedder) as folder:
        nano_embedder.build(texts, settings.embedder, seed).save(str(folder))


if __name__ == "__main__":
    main()
