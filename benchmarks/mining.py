r"""Mining at full size: indexes against the exact one, and the whole step beside sentence-transformers' own.

\b
    OMP_NUM_THREADS=1 python -m benchmarks.mining indexes --taxonomy data/taxonomy --vectors 50000
    OMP_NUM_THREADS=1 python -m benchmarks.mining side-by-side --taxonomy data/taxonomy --candidates 20000 --rows 60000

Texts are the paths of a category tree in all its languages (`babelshelf/prepare/sources/taxonomy/` has the format).
`indexes` embeds them with the built-in encoder, or uses clustered random vectors with `--synthetic`; `side-by-side`
embeds them as sums of random vectors, which takes next to no time. Times are CPU seconds of all threads, which depend
less on other load than wall time; each line of `side-by-side` is measured in a process of its own, the median of
`--repeats`.
docs/benchmarks.md has results.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import faiss
import numpy as np
import polars as pl
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from sentence_transformers.util import mine_hard_negatives
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from babelshelf.core.params import read, section
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.encoder.embedder import encode, load_embedder
from babelshelf.mine_negatives import mining, vector_index
from babelshelf.mine_negatives.params import MineNegativesParams
from benchmarks.alone import alone

K = 51  # the window [20, 50) and the positive itself
WINDOW = (20, 50)
QUERIES = 2000
ENCODER = "use_multilingual"
NANO = read(Path(__file__).parents[1] / "profiles" / "nano.yaml")
SEARCH = (
    NANO["mine_negatives"]
    | NANO["tasks"]["qc"]["mine_negatives"]
    | {"devices": ["cpu"], "ivf": {"lists": 1024, "probes": 32}, "origins": ["original"], "rank_window": list(WINDOW)}
)


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--taxonomy", type=click.Path(path_type=Path, exists=True))
@click.option("--synthetic", is_flag=True)
@click.option("--vectors", default=100_000)
@click.option("--dimension", default=256, help="of synthetic vectors")
@click.option("--lists", default=1024)
def indexes(*, taxonomy: Path | None, synthetic: bool, vectors: int, dimension: int, lists: int) -> None:
    """Recall, times and memory of each index, and what it changes in the windows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npy"
        if synthetic:
            np.save(file, clustered(vectors, dimension))
        elif taxonomy:
            texts = paths(taxonomy)[:vectors]
            np.save(file, encode(load_builtin(ENCODER), texts, Path(folder) / "done"))
        else:
            raise click.UsageError("give --taxonomy or --synthetic")
        vectors = np.load(file, mmap_mode="r")
        click.echo("| index | recall@50 | same window | build s | queries/s | MB |\n|---|---|---|---|---|---|")
        exact: np.ndarray | None = None
        built: dict[tuple[str, str], dict[str, Any]] = {}
        for name, changes in _choices(lists).items():
            settings = _settings(**changes)
            kind = settings.index, settings.codes
            built[kind] = built.get(kind) or _build(vectors, settings)
            measured = built[kind] | _search(built[kind]["index"], vectors, settings)
            exact = measured["found"] if exact is None else exact
            click.echo(_index_line(name, measured, exact))


def _choices(lists: int) -> dict[str, dict[str, Any]]:
    choices: dict[str, dict[str, Any]] = {"flat": {}, "flat, fp16": {"codes": "fp16"}}
    for probes in (16, 32, 64, 128):
        choices[f"ivf, {lists} lists, {probes} probes"] = {"index": "ivf", "ivf": {"lists": lists, "probes": probes}}
    for codes in ("fp16", "sq8"):
        choices[f"ivf, 64 probes, {codes}"] = {"index": "ivf", "ivf": {"lists": lists, "probes": 64}, "codes": codes}
    for width in (100, 200, 400):
        hnsw = {"links": 32, "ef_construction": 200, "ef_search": width}
        choices[f"hnsw, 32 links, ef_search {width}"] = {"index": "hnsw", "hnsw": hnsw}
    return choices


def _build(vectors: np.ndarray, settings: MineNegativesParams) -> dict[str, Any]:
    start = time.process_time()
    index = vector_index.build_index(vectors, settings, 1)
    return {
        "build": time.process_time() - start,
        "memory": len(faiss.serialize_index(index)) / 1e6,
        "index": index,
    }


def _search(index: faiss.Index, vectors: np.ndarray, settings: MineNegativesParams) -> dict[str, Any]:
    vector_index.set_search_width(index, settings)
    rows = np.sort(np.random.default_rng(0).permutation(len(vectors))[:QUERIES])
    start = time.process_time()
    found = vector_index.search(index, vectors, rows, vectors, K)
    return {"rate": len(rows) / (time.process_time() - start), "found": found}


def _index_line(name: str, measured: dict[str, Any], exact: np.ndarray) -> str:
    first, last = WINDOW
    share = _overlap(measured["found"], exact, slice(1, K)), _overlap(measured["found"], exact, slice(first, last))
    return (
        f"| {name} | {share[0]:.3f} | {share[1]:.3f} | {measured['build']:.1f} | {measured['rate']:,.0f} "
        f"| {measured['memory']:,.0f} |"
    )


def _overlap(found: np.ndarray, exact: np.ndarray, ranks: slice) -> float:
    pairs = zip(found[:, ranks], exact[:, ranks], strict=True)
    return float(np.mean([len(np.intersect1d(one, other)) / len(other) for one, other in pairs]))


@main.command("side-by-side")
@click.option("--taxonomy", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--candidates", default=20_000)
@click.option("--rows", default=60_000)
@click.option("--repeats", default=3)
def side_by_side(*, taxonomy: Path, candidates: int, rows: int, repeats: int) -> None:
    """Embed the candidates, search around each positive, draw a negative of the window."""
    texts = paths(taxonomy)[:candidates]
    with tempfile.TemporaryDirectory() as folder:
        embedder = _save_embedder(texts, Path(folder))
        click.echo(f"{len(texts)} candidates, {rows} rows\n\n| step | s | peak MB | negatives |\n|---|---|---|---|")
        for name, function in _STEPS.items():
            runs = [alone(function, embedder, texts, rows) for _ in range(repeats)]
            run = sorted(runs, key=lambda one: one["s"])[repeats // 2]
            click.echo(f"| {name} | {run['s']:.1f} | {run['peak']:,.0f} | {run['negatives']:,} |")
            click.echo("".join(f"    {part}: {s:.2f} s\n" for part, s in run.get("parts", {}).items()), err=True)


def _every_row(folder: Path, texts: list[str], number: int) -> dict[str, Any]:
    """A draw for each positive row, and all guards."""
    return _ours(folder, texts, training_rows(texts, number), positive_share=0.01)


def _each_once(folder: Path, texts: list[str], number: int) -> dict[str, Any]:
    """A draw for each unique positive, whose query is itself, and no guard: what `_theirs` does."""
    positive = _unique_positives(texts, number)
    rows = training_rows(texts, len(positive)).with_columns(
        query=positive, candidate=positive, group=positive, label=pl.lit(1, pl.Int8)
    )
    return _ours(folder, texts, rows, positive_share=0.01, guards=[])


def _ours(folder: Path, texts: list[str], rows: pl.DataFrame, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    settings, parts = _settings(**changes), dict[str, float]()
    embedder = load_embedder(folder, settings)
    for name in ("nearest", "forbidden", "_draw"):
        _timed(mining, name, parts)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as done:
        found = mining.mine(rows, texts, lambda some, prompt: encode(embedder, some, Path(done), prompt), settings, 1)
    return {"s": time.process_time() - start, "peak": _peak(), "negatives": found.rows.height, "parts": parts}


def _theirs(folder: Path, texts: list[str], number: int) -> dict[str, Any]:
    """From candidate to candidate, as here: each unique positive is an anchor once."""
    positive = _unique_positives(texts, number).to_list()
    embedder = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    start = time.process_time()
    made = mine_hard_negatives(
        Dataset.from_dict({"anchor": positive, "positive": positive}),
        embedder,
        corpus=texts,
        range_min=WINDOW[0],
        range_max=WINDOW[1],
        num_negatives=1,
        sampling_strategy="random",
        batch_size=256,
        use_faiss=True,
        verbose=False,
    )
    return {"s": time.process_time() - start, "peak": _peak(), "negatives": len(made)}


_STEPS = {
    "babelshelf, a draw for each unique positive, no guards": _each_once,
    "mine_hard_negatives, the same draws": _theirs,
    "babelshelf, a draw for each positive row, three guards": _every_row,
}


def _unique_positives(texts: list[str], number: int) -> pl.Series:
    return training_rows(texts, number).filter(pl.col("label") == 1)["candidate"].unique(maintain_order=True)


def _timed(module: Any, name: str, parts: dict[str, float]) -> None:  # noqa: ANN401 - any module
    function = getattr(module, name)

    def run(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any function
        start = time.process_time()
        result = function(*arguments, **options)
        parts[name] = parts.get(name, 0.0) + time.process_time() - start
        return result

    setattr(module, name, run)


def paths(taxonomy: Path) -> list[str]:
    """Category paths of all languages, each once, shuffled."""
    files = sorted(taxonomy.glob("*/categories.txt"))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if " : " in line]
    unique = list(dict.fromkeys(line.split(" : ", 1)[1].strip() for line in lines))
    return [unique[number] for number in np.random.default_rng(0).permutation(len(unique))]


def training_rows(texts: list[str], number: int) -> pl.DataFrame:
    """Rows whose query is a candidate's last level and a word; 69 % positive."""
    rng = np.random.default_rng(0)
    chosen = np.concatenate([rng.permutation(len(texts)), rng.integers(len(texts), size=number)])[:number]
    label = (rng.random(number) < 0.69).astype(np.int8)
    queries = [f"{texts[one].rsplit(' > ', 1)[-1]} {turn % 7}" for turn, one in enumerate(chosen)]
    return pl.DataFrame(
        {
            "id": [f"r{turn}" for turn in range(number)],
            "task": "qc",
            "language": "en",
            "query": queries,
            "candidate": [texts[one] for one in chosen],
            "label": label,
            "origin": "original",
            "parent_id": None,
            "group": queries,
        },
        schema=ROW_SCHEMA,
    )


def clustered(number: int, dimension: int) -> np.ndarray:
    """Unit vectors around one centre per 100, float32, shape (number, dimension)."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(number // 100, 1), dimension), dtype=np.float32)
    vectors = centres[rng.integers(len(centres), size=number)]
    vectors += 0.7 * rng.standard_normal(vectors.shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _save_embedder(texts: list[str], folder: Path) -> Path:
    """A sum of random vectors, one a word piece: both sides embed with it, and it costs next to nothing."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=8192, special_tokens=["<unk>"], show_progress=False)
    )
    torch.manual_seed(1)
    made = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=256), Normalize()], device="cpu")
    made.save(str(folder / "embedder"))
    return folder / "embedder"


def _settings(**changes: Any) -> MineNegativesParams:  # noqa: ANN401 - values of params
    return section(MineNegativesParams, {"mine_negatives": SEARCH | changes}, "mine_negatives", None)


def _peak() -> float:
    """The process's peak resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
