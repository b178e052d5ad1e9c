"""Does the classifier tell which data step gains, as a fine-tuned LM would?

    python -m benchmarks.proxy_truth data --shops pairs.csv --taxonomy dist --out data/proxy
    python -m benchmarks.proxy_truth run --data data/proxy --model classifier
    python -m benchmarks.proxy_truth run --data data/proxy --model lm --base models/gemma-3-270m
    python -m benchmarks.proxy_truth run --data data/proxy --model lm --base built-in-lm --all-weights
    python -m benchmarks.proxy_truth table

`data` makes dev, test and the training sets of all recipes on two real data sets (at most 1,500 rows before a recipe
adds some), and sets of 1,500 to 24,000 rows of the first with all of its languages, for the recipe `none` alone. `run`
trains and scores a model on each, every recipe for the same number of optimizer steps, and appends a line to the
results' file for each run; runs that are in it are skipped, so that it can be killed and go on. A fine-tuned model has
the name of the folder of its base: all weights need another folder than an adapter. `table` compares the models:
levels, rank correlation of the recipes' average precision, and how often the signs of the gains agree.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import polars as pl

from babelshelf.core.params import read
from babelshelf.core.rows import read_rows, write_rows
from babelshelf.encoder.builtin_encoders import load_builtin
from benchmarks.proxy_truth import data_sets, models, results, text

ZERO_SHOT = "zero-shot"


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--shops", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--taxonomy", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--seeds", default="1,2,3")
def data(*, shops: Path, taxonomy: Path, out: Path, seeds: str) -> None:
    """Make the recipes' training sets."""
    from benchmarks.proxy_truth import recipes  # noqa: PLC0415 - a machine that only trains needs no index and no lexicon

    encoder = load_builtin(_embedder())
    for name, size in data_sets.SIZES.items():
        loaded = data_sets.load(name, taxonomy if name == "taxonomy" else shops)
        folder = out / name
        write_rows(folder / "dev.parquet", loaded.dev)
        write_rows(folder / "test.parquet", loaded.test)
        for seed in _numbers(seeds):
            inputs = recipes.RecipeInputs(loaded, encoder, folder, seed)
            for recipe, make in recipes.recipes(loaded).items():
                if recipe not in size.recipes:
                    continue
                rows = make(inputs)
                write_rows(folder / f"{recipe}-{seed}.parquet", rows)
                share = float(rows["label"].cast(pl.Float64).mean())  # type: ignore[arg-type]
                click.echo(f"{name} {recipe} seed {seed}: {rows.height} rows, positive share {share:.2f}")


@main.command()
@click.option("--data", "folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Choice(["classifier", "lm"]), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), help="folder of the LM")
@click.option("--lora/--all-weights", default=True, help="what is trained: an adapter, or all, as of the built-in LM")
@click.option("--learning-rate", type=float, help="of LoRA, in place of the usual one")
@click.option("--work", type=click.Path(path_type=Path), default=Path("/tmp"), help="for checkpoints")
@click.option("--results", "file", type=click.Path(path_type=Path), default=results.RESULTS)
@click.option("--data-sets", "names", default=",".join(data_sets.SIZES))
@click.option("--seeds", default="1,2,3")
@click.option("--recipes", "chosen", default=",".join([ZERO_SHOT, *data_sets.RECIPES]))
@click.option("--seconds", type=float, default=float("inf"), help="after which no run is begun")
def run(
    *,
    folder: Path,
    model: str,
    base: Path | None,
    lora: bool,
    learning_rate: float | None,
    work: Path,
    file: Path,
    names: str,
    seeds: str,
    chosen: str,
    seconds: float,
) -> None:
    """Train and score, and append to the results."""
    if (model == "lm") != (base is not None):
        raise click.UsageError("--model lm needs --base, and the classifier has none")
    if learning_rate is not None and not lora:
        raise click.UsageError("--learning-rate is that of LoRA, not of --all-weights")
    began = time.monotonic()
    for name in names.split(","):
        steps = data_sets.SIZES[name].steps
        made: models.Model = (
            models.FineTunedModel(base, work, lora=lora, steps=steps, learning_rate=learning_rate)
            if base
            else models.ClassifierModel(_embedder(), folder)
        )
        for recipe in chosen.split(","):
            for seed in _numbers(seeds):
                if time.monotonic() - began > seconds:
                    return
                if (name, made.name, recipe, seed) not in results.finished(file):
                    _one(folder / name, made, recipe, seed, file)


def _one(folder: Path, model: models.Model, recipe: str, seed: int, file: Path) -> None:
    """One run, unless there is nothing to run."""
    train_file = folder / f"{recipe}-{seed}.parquet"
    untrained = recipe == ZERO_SHOT
    if (untrained and (seed != 1 or model.name == "classifier")) or not (untrained or train_file.is_file()):
        return
    dev, test = read_rows(folder / "dev.parquet"), read_rows(folder / "test.parquet")
    train = None if untrained else read_rows(train_file)
    p_yes, cost = models.timed_scores(model, train, pl.concat([dev, test]), seed)
    scored = pl.concat([dev, test]).with_columns(p_yes=pl.Series(p_yes))
    known = read_rows(folder / f"{data_sets.NONE}-1.parquet")["language"].unique().to_list()
    found = results.Scored(scored.head(dev.height), scored.tail(test.height), known)
    result = {"data": folder.name, "model": model.name, "recipe": recipe, "seed": seed}
    result |= {"rows": 0 if train is None else train.height} | cost | model.facts
    result |= results.measured(found, seed=data_sets.SEED)
    results.append(file, result)
    click.echo(f"{folder.name} {model.name} {recipe} {seed}: AP {result['ap']:.3f}, {cost['seconds']:.0f} s")


@main.command()
@click.option("--results", "file", type=click.Path(path_type=Path), default=results.RESULTS)
def table(*, file: Path) -> None:
    """Print the results and the agreement, as in docs/results.md."""
    for line in text.lines(results.read_results(file)):
        click.echo(line)


def _embedder() -> str:
    return str(read(Path("params.yaml"))["base_model"]["embedder"]["model"])


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
