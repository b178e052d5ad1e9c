"""Time and peak memory of the stage `prepare`, for a made-up file of labelled pairs of any size.

    python -m benchmarks.prepare --rows 1000000 --rows 10000000 --format jsonl

Each run makes a file in a temporary folder (some 0.2 GB a million rows), runs the stage on it as a process of its own,
by the source `files`, and takes time and memory from what the stage records of itself; rows/s are by seconds of CPU, as
others may use the machine. The rows are like those of the CIKM AnalytiCup 2025: five to a query, titles from a pool of
a tenth as many, seven languages in four scripts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from babelshelf.core.errors import InputError
from babelshelf.core.params import read as read_params
from babelshelf.prepare.params import SOURCES
from babelshelf.runtime.stage_log import read_resources

ROOT = Path(__file__).parents[1]
CHUNK = 1_000_000  # rows that are made at once
ROWS_PER_QUERY, ROWS_PER_TITLE = 5, 10
WORDS_PER_QUERY, WORDS_PER_TITLE = 3, 9
WORDS = 2000  # of a language
POSITIVE = 0.62
SYLLABLES = {
    "en": "ba ter shoe lamp ing kit red ple men or",
    "fr": "chau ssure é le pour ra ture fe mme ê",
    "es": "za pa ti lla ño mu jer pan ta lón",
    "pt": "ca mi sa ção le ve pre to mão bo",
    "ja": "シャ ツ メン ズ 靴 黒 の ケー ス 用",
    "ko": "가 방 여 성 운 동 화 케 이 스",
    "th": "รอง เท้า ผู้ หญิง เสื้อ ยืด สี ดำ เคส กระ",
}


@click.command(help=__doc__)
@click.option("--rows", type=click.IntRange(min=100), multiple=True, default=(1_000_000,), show_default=True)
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv", "parquet"]), default="jsonl", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="where temporary files go")
def main(*, rows: tuple[int, ...], kind: str, folder: Path | None) -> None:
    click.echo(f"{'rows':>12} {'file MB':>8} {'seconds':>8} {'CPU s':>8} {'rows/s':>8} {'peak MB':>8}")
    for count in rows:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            file = write_pairs(Path(scratch) / f"pairs.{kind}", count)
            before = _cpu()
            seconds, peak = run(file, Path(scratch))
            cpu, size = _cpu() - before, file.stat().st_size
        click.echo(f"{count:12,} {size / 1e6:8.0f} {seconds:8.1f} {cpu:8.1f} {count / cpu:8,.0f} {peak / 1e6:8.0f}")


def write_pairs(file: Path, count: int, seed: int = 0) -> Path:
    """Write a file of `count` pairs, in the format that its suffix names: .jsonl, .csv or .parquet."""
    chunks = _chunks(count, np.random.default_rng(seed))
    if file.suffix == ".parquet":
        first = next(chunks).to_arrow()
        with pq.ParquetWriter(file, first.schema) as writer:
            writer.write_table(first)
            for chunk in chunks:
                writer.write_table(chunk.to_arrow())
        return file
    with file.open("wb") as stream:
        for number, chunk in enumerate(chunks):
            if file.suffix == ".csv":
                chunk.write_csv(stream, include_header=not number)
            else:
                chunk.write_ndjson(stream)
    return file


def run(file: Path, folder: Path) -> tuple[float, float]:
    """Seconds and peak memory in bytes of the stage `prepare` on a file of `write_pairs`; it writes into `folder`."""
    YAML(typ="safe", pure=True).dump(_params(file), folder / "params.yaml")
    outs = ["--original", "data/original", "--catalogue", "data/catalogue", "--metrics", "metrics.json"]
    command = [sys.executable, "-m", "stages.prepare", "--qc", str(file), "--qi", str(file), *outs]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "prepare", "DVC_ROOT": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"the stage failed: {done.stderr}")
    record = read_resources(folder / ".cache" / "resources.jsonl").row(0, named=True)
    return record["seconds"], record["peak_mib"] * 2**20


def _cpu() -> float:
    """Seconds of processors that the processes have taken which this one has started."""
    times = os.times()
    return times.children_user + times.children_system


def _params(file: Path) -> Mapping[str, Any]:
    """The repository's params, with the source `files` and the one task qi."""
    values = read_params(ROOT / "params.yaml")
    prepare = values["prepare"]
    columns = {
        "query": "query",
        "candidate": "title",
        "label": "label",
        "language": "language",
        "id": "id",
        "split": "",
    }
    prepare["source"] = "files"
    prepare["files"] = SOURCES.defaults("files")
    prepare["files"]["tasks"] = ["qi"]
    prepare["files"]["qi"] |= {"format": file.suffix[1:], "columns": columns}
    return values


def _chunks(count: int, rng: np.random.Generator) -> Iterator[pl.DataFrame]:
    """Tables of `id`, `language`, `query`, `title` and `label`."""
    words = [_words(text.split(), rng) for text in SYLLABLES.values()]
    of_title = rng.integers(len(words), size=max(count // ROWS_PER_TITLE, len(words)))
    of_title[: len(words)] = range(len(words))  # each language has one
    order = np.argsort(of_title, kind="stable")
    pool = _texts(words, of_title[order], WORDS_PER_TITLE, rng)
    bounds = np.searchsorted(of_title[order], range(len(words) + 1))
    languages = pl.Series(list(SYLLABLES))
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        of_query = rng.integers(len(words), size=-(-size // ROWS_PER_QUERY))
        queries = _texts(words, of_query, WORDS_PER_QUERY, rng)
        row = np.arange(size) // ROWS_PER_QUERY
        language = of_query[row]
        title = rng.integers(bounds[language], bounds[language + 1])
        yield pl.DataFrame(
            {
                "id": np.arange(start, start + size),
                "language": languages.gather(language),
                "query": queries.gather(row),
                "title": pool.gather(title),
                "label": (rng.random(size) < POSITIVE).astype(np.int8),
            }
        )


def _words(syllables: Sequence[str], rng: np.random.Generator) -> pl.Series:
    """Words of one to three syllables."""
    made = ["".join(rng.choice(syllables, size=rng.integers(1, 4))) for _ in range(WORDS)]
    return pl.Series(made, dtype=pl.String)


def _texts(
    words: Sequence[pl.Series], languages: np.ndarray[Any, Any], length: int, rng: np.random.Generator
) -> pl.Series:
    """A text for each number of a language: words of it, and a number, so that few are the same."""
    every = pl.concat(words)
    chosen = [every.gather(languages * WORDS + rng.integers(WORDS, size=len(languages))) for _ in range(length)]
    numbers = pl.Series(rng.integers(100_000, size=len(languages)))
    return pl.select(pl.concat_str(*map(pl.lit, chosen), pl.lit(numbers), separator=" ")).to_series()


if __name__ == "__main__":
    main()
