"""How much faster than its teacher is a student?

    OMP_NUM_THREADS=1 python -m benchmarks.distill_speed --pairs pairs.csv --base models/gemma-3-270m --work WORK

Scores test pairs with each model of `benchmarks.distill`, whose folder WORK this needs, and with the cross-encoder's
ONNX exports, in one process; appends a line a model to the results' file of that benchmark, with the AP of the exports.
To measure again, remove the lines of speed first: those of two runs do not compare.
Seconds are CPU time of one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from babelshelf.classifier.model import probabilities
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.commands.export.formats import onnx
from babelshelf.core.files import replacing
from babelshelf.score.scorer import load_scorer
from benchmarks.distill import LABELS, SEED, UNTUNED, Workplace, for_place, measured_on
from benchmarks.proxy_truth.data_sets import TASK
from benchmarks.proxy_truth.results import append, read_results

SPEED_PAIRS = {"teacher": 256, "classifier": 1500, "cross_encoder": 512}
FP32, INT8 = "cross_encoder, ONNX fp32", "cross_encoder, ONNX int8"


@click.command(help=__doc__)
@for_place
def main(place: Workplace, results: Path) -> None:
    if any(line["kind"] == "speed" for line in read_results(results)):
        raise click.UsageError(f"{results} has lines of speed: remove them to measure again")
    for line in (*_timed(place), *_timed_exports(place)):
        append(results, {"kind": "speed", "seed": SEED} | line)
        click.echo(f"{line['model']}: {line['pairs'] / line['seconds']:,.0f} pairs/s")


def _timed(place: Workplace) -> Iterator[dict[str, Any]]:
    for name, setting, base, model in (
        ("teacher", LABELS, place.base, place.taught_by.model),
        ("classifier", LABELS, place.base_folder, place.student("classifier", LABELS, SEED)),
        ("cross_encoder", UNTUNED, place.base_folder, place.student("cross_encoder", UNTUNED, SEED)),
        ("cross_encoder", LABELS, place.base_folder, place.student("cross_encoder", LABELS, SEED)),
    ):
        rows, vectors = place.data.test.head(SPEED_PAIRS[name]), place.work / f"vectors-{time.time_ns()}"
        with load_scorer(base, model, place.taught_by.settings, vectors) as scorer:
            scorer.score(scorer.encode(rows.head(8)))  # what is loaded at the first call
            seconds = _seconds(lambda scorer=scorer, rows=rows: scorer.score(scorer.encode(rows)))  # type: ignore[misc]
        yield {"model": name, "setting": setting, "pairs": rows.height, "seconds": round(seconds, 3)}


def _timed_exports(place: Workplace) -> Iterator[dict[str, Any]]:
    student = place.student("cross_encoder", LABELS, SEED)
    exported = place.work / "exported"
    if not exported.is_dir():
        with replacing(exported) as folder:
            folder.mkdir()
            none = place.work / "none.json"
            onnx.write(ExportedModel(TASK, place.base_folder, student, none, none), folder)
    held_out, rows = pl.concat([place.data.dev, place.data.test]), place.data.test.head(SPEED_PAIRS["cross_encoder"])
    for name, file in ((FP32, onnx.FP32), (INT8, onnx.INT8)):
        score = _onnx_scorer(exported, file)
        score(rows.head(8))
        seconds = _seconds(lambda score=score: score(rows))  # type: ignore[misc]
        timed = {"model": name, "setting": LABELS, "pairs": rows.height, "seconds": round(seconds, 3)}
        found = measured_on(place, probabilities(score(held_out)))
        yield timed | {metric: found[metric] for metric in ("ap", "ap_draws")}


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _onnx_scorer(folder: Path, file: Path, batch: int = 32) -> Callable[[pl.DataFrame], np.ndarray]:
    """Score with onnxruntime on one thread, pairs of like length together."""
    from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def score(rows: pl.DataFrame) -> np.ndarray:
        length = pl.col("query").str.len_bytes() + pl.col("candidate").str.len_bytes()
        ordered = rows.with_row_index("row").sort(length)
        logits = np.empty(rows.height)
        for part in ordered.iter_slices(batch):
            texts = part["query"].to_list(), part["candidate"].to_list()
            encoded = tokenizer(*texts, padding=True, truncation=True, return_tensors="np")
            inputs = {one.name: encoded[one.name].astype(np.int64) for one in session.get_inputs()}
            logits[part["row"].to_numpy()] = session.run([onnx.OUTPUT], inputs)[0][:, 0]
        return logits

    return score


if __name__ == "__main__":
    main()
