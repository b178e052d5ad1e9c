"""Mine semantic hard negatives for the queries of a training set.

\b
    python -m stages.mine_negatives qc --train data/translated/qc/train.parquet ... (dvc.yaml has all of it)

Killed, it goes on from the vectors that were finished.
Writes the complete training set (train.parquet) and examples of the draws that the guards dropped
(dropped.parquet).
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.partial_work import fingerprint, partial_work
from babelshelf.core.rows import concat, positive_share, read_rows, read_table, write_rows, write_table
from babelshelf.encoder.embedder import encode, load_embedder
from babelshelf.encoder.params import EncoderParams
from babelshelf.mine_negatives.mining import false_negatives, mine
from babelshelf.mine_negatives.params import MineNegativesParams
from babelshelf.runtime.stage import stage
from babelshelf.tables.truth import read_truth


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path), required=True)
@click.option("--candidates", type=click.Path(path_type=Path), required=True)
@click.option("--embedder", type=click.Path(path_type=Path), required=True)
@click.option("--truth", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("mine_negatives", writes="out")
def main(*, task: str, train: Path, candidates: Path, embedder: Path, truth: Path, out: Path, metrics: Path) -> str:
    settings, seed = load(MineNegativesParams, "mine_negatives", task), load_seed()
    rows = read_rows(train)
    texts = read_table(candidates).filter("in_train")["candidate"].to_list()
    model = load_embedder(embedder, settings)
    vectors_of = settings.model_dump(include=set(EncoderParams.model_fields))
    with partial_work("mine_negatives", task, candidates, embedder, vectors_of) as checkpoint_dir:
        mined = mine(
            rows,
            texts,
            lambda some, prompt: encode(
                model, some, checkpoint_dir / (fingerprint(prompt, some) if prompt else "candidates"), prompt
            ),
            settings,
            seed,
        )
        written = concat(rows, mined.rows)
        write_rows(out / "train.parquet", written)
        write_table(out / "dropped.parquet", mined.dropped)
    false = false_negatives(mined.rows, read_truth(truth))
    shares = {"before": positive_share(rows), "after": positive_share(written)}
    write_json(metrics, mined.counts | ({"false_negatives": false} if false else {}) | {"positive_share": shares})
    return f"{written.height:,} rows, {mined.rows.height:,} of them mined negatives"


if __name__ == "__main__":
    main()
