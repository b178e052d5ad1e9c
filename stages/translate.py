"""Translate training queries into languages that have no training data.

\b
    python -m stages.translate qc --train data/original/qc/train.parquet ... (dvc.yaml has all of it)

Killed, it goes on from the translations that were finished.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from babelshelf.core.files import work_dir, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import positive_share, read_rows, read_table, write_rows, write_table
from babelshelf.core.work_cache import WorkCache
from babelshelf.runtime.stage import stage
from babelshelf.translate.params import TranslateParams
from babelshelf.translate.translation import translate_rows
from babelshelf.translate.translator import load_translator


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path), required=True)
@click.option("--held-out", type=click.Path(path_type=Path), required=True)
@click.option("--glossary", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("translate", writes="out")
def main(*, task: str, train: Path, held_out: Path, glossary: Path, out: Path, metrics: Path) -> str:
    settings = load(TranslateParams, "translate", task)
    cache: WorkCache[str] = WorkCache(work_dir() / "translate")
    rows, held_out_keys = read_rows(train), read_table(held_out)["key"]
    with closing(load_translator(settings, glossary)) as translator:
        translated = translate_rows(
            rows, held_out_keys, translator=translator, cache=cache, settings=settings, seed=load_seed()
        )
    write_rows(out / "train.parquet", translated.rows)
    write_table(out / "dropped.parquet", translated.dropped)
    shares = {"before": positive_share(rows), "after": positive_share(translated.rows)}
    write_json(metrics, translated.counts | {"positive_share": shares})
    planned = sum(counts["rows"] for counts in translated.counts["planned"].values())
    kept = translated.rows.height - rows.height
    return f"{translated.rows.height:,} rows, {kept:,} of them translations of {planned:,} that were planned"


if __name__ == "__main__":
    main()
