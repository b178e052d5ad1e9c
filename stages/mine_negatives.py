"""Mine semantic hard negatives for the queries of a training set.

\b
    python -m stages.mine_negatives qc --train data/translated/qc/train.parquet ... (dvc.yaml has all of it)

Killed, it goes on from the vectors that were finished.
Writes the complete training set (train.parquet) and examples of what the guards refused (refused.parquet).
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf import tables
from babelshelf.embeddings import encode, load_embedder
from babelshelf.files import write_json
from babelshelf.fingerprint import fingerprint, partial_work
from babelshelf.negatives import false_negatives, mine
from babelshelf.params.load import load, load_seed
from babelshelf.params.mine_negatives import MineNegativesParams
from babelshelf.resources import recorded
from babelshelf.truth import read_truth


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path), required=True)
@click.option("--candidates", type=click.Path(path_type=Path), required=True)
@click.option("--embedder", type=click.Path(path_type=Path), required=True)
@click.option("--truth", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, task: str, train: Path, candidates: Path, embedder: Path, truth: Path, out: Path, metrics: Path) -> None:
    settings, seed = load(MineNegativesParams, "mine_negatives", task), load_seed()
    rows = tables.read_rows(train)
    texts = tables.read_table(candidates).filter("in_train")["candidate"].to_list()
    model = load_embedder(embedder, settings)
    vectors_of = settings.model_dump(include={"devices", "batch_size", "precision", "max_length", "truncate_dim"})
    with partial_work("mine_negatives", task, candidates, embedder, vectors_of) as done:
        mined = mine(
            rows,
            texts,
            lambda some, prompt: encode(
                model, some, settings, done / (fingerprint(prompt, some) if prompt else "candidates"), prompt
            ),
            settings,
            seed,
        )
        written = tables.concat(rows, mined.rows)
        tables.write_rows(out / "train.parquet", written)
        tables.write_table(out / "refused.parquet", mined.refused)
    false = false_negatives(mined.rows, read_truth(truth))
    shares = {"before": tables.positive_share(rows), "after": tables.positive_share(written)}
    write_json(metrics, mined.counts | ({"false_negatives": false} if false else {}) | {"positive_share": shares})


if __name__ == "__main__":
    main()
