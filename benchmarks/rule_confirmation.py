r"""Whether a rule that gained with the seeds of `benchmarks.label_errors` gains with others, too.

\b
    OMP_NUM_THREADS=1 python -m benchmarks.rule_confirmation --shops pairs.csv
    python -m benchmarks.tables

The rules are many and the seeds three there, so the best of them may be so by chance. Here two rules alone,
`confident_learning` and a lower confidence, are compared with the pipeline's, with seeds that no rule was chosen by.
Results are lines as those of `benchmarks.label_errors`, with the first of the seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, Fit
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.tables.predictions import Floats
from benchmarks.label_errors import KEY, ORACLE, USUAL, Trial, Variant, detection, training
from benchmarks.label_noise import Source, demo, shops
from benchmarks.proxy_truth.results import append_all, read_results

RESULTS = Path("benchmarks/results/rule_confirmation.jsonl")
UNITS = (
    ("demo, qc", "30 %"),
    ("demo, qi", "30 %"),
    ("demo, qc", "none"),
    ("demo, qi", "none"),
    ("demo, qc", "10 %"),
    ("demo, qi", "10 %"),
    ("shops", "10 %"),
    ("shops", "none"),
)
VARIANTS = [Variant(), *(Variant(rule=rule) for rule in (USUAL, "confidence 0.6", "confident_learning"))]


def out_of_fold(_: Examples, first: Fit, __: ClassifierParams, ___: int) -> Mapping[str, Floats]:
    """The scores of the pipeline alone."""
    return {"out_of_fold": first.out_of_fold}


@click.command(help=__doc__)
@click.option("--shops", "pairs", type=click.Path(path_type=Path, exists=True), help="a CSV file of pairs")
@click.option("--rows", default=3000, help="of train")
@click.option("--first-seed", default=4)
@click.option("--seeds", default=5)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/encoder"))
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(*, pairs: Path | None, rows: int, first_seed: int, seeds: int, cache: Path, out: Path) -> None:
    encoder = load_builtin("use_multilingual")
    sources: dict[str, Source] = {f"demo, {task}": demo(task, rows) for task in ("qc", "qi")}
    if pairs is not None:
        sources["shops"] = shops(pairs, rows)
    key = (*KEY, "first_seed")
    finished = {tuple(line[name] for name in key) for line in read_results(out)}
    for data, noise in UNITS:
        unit = dict(zip(key, (data, noise, rows, seeds, first_seed), strict=True))
        if data not in sources or tuple(unit.values()) in finished:
            continue
        numbers = range(first_seed, first_seed + seeds)
        trials = [Trial.of(sources[data](seed), noise, encoder, cache, seed, scorer=out_of_fold) for seed in numbers]
        tried = VARIANTS if noise == "none" else [*VARIANTS, Variant(rule=ORACLE)]
        append_all(out, [unit | line for line in [*detection(trials), *training(trials, tried)]])
        click.echo(f"{data}, {noise}: done")


if __name__ == "__main__":
    main()
