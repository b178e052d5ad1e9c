"""The command line `babelshelf`: what one does around the pipeline; the pipeline itself is `dvc repro`.

Each command imports what it needs when it runs, so that none waits for the libraries of another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from babelshelf.commands.export.options import ExportOptions, export_options
from babelshelf.commands.options import ENCODING, ESCAPE, LADDER, QUOTE, names, seeds
from babelshelf.commands.review.options import ReviewOptions, review_options
from babelshelf.commands.score.options import ScoreCommandOptions, score_options
from babelshelf.commands.try_page.options import TryOptions, try_options


@click.group()
@click.version_option(package_name="babelshelf")
def main() -> None:
    """Data-centric, multilingual product-search relevance; run from the repository's root."""


@main.command()
def check() -> None:
    """Validate all of params.yaml, and say what this machine lacks for it."""
    from babelshelf.commands.check import check as check_params  # noqa: PLC0415
    from babelshelf.commands.check import notes, prepared_statistics  # noqa: PLC0415
    from babelshelf.core.params import PARAMS_FILE, read  # noqa: PLC0415
    from babelshelf.preflight.requirements import require_all  # noqa: PLC0415

    check_params()
    values = read(PARAMS_FILE)
    for line in notes(values, prepared_statistics(values, Path("metrics/prepare.json"), Path("dvc.lock"))):
        click.echo(line)
    require_all()
    click.echo(f"{PARAMS_FILE}: ok")


@main.command()
def show() -> None:
    """Show the results of the last run."""
    from rich.console import Console  # noqa: PLC0415

    from babelshelf.commands.show import meanings, table  # noqa: PLC0415
    from babelshelf.core.params import PARAMS_FILE, read  # noqa: PLC0415

    Console().print(table(Path("metrics")))
    for line in meanings(Path("metrics"), read(PARAMS_FILE)):
        click.echo(line)


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("report"), help="Folder to write; default: report."
)
@click.option("--rev", default="HEAD", help="Commit that the ladder's experiments were run on; default: HEAD.")
@LADDER
def report(*, out: Path, rev: str, file: Path) -> None:
    """Write report.html and report.md, of the ladder's experiments and the last run."""
    from babelshelf.commands.report.build import report as write_report  # noqa: PLC0415

    click.echo(write_report(out, rev, file))


@main.command()
def readme() -> None:
    """Put the results of the last run between README.md's two markers."""
    from babelshelf.commands.show import with_results  # noqa: PLC0415
    from babelshelf.core.errors import InputError  # noqa: PLC0415
    from babelshelf.core.files import replacing  # noqa: PLC0415

    file = Path("README.md")
    if not file.is_file():
        raise InputError(f"{file}: no such file; run from the repository's root")
    text = with_results(file.read_text(encoding="utf-8"), Path("metrics"))
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


@main.command()
@click.option("--qc", metavar="PATH", help="Pairs of query and category path: a file, a folder, or a 'pattern'.")
@click.option("--qi", metavar="PATH", help="Pairs of query and item title.")
@click.option("--language", default="", metavar="CODE", help="Language of all rows, where no column says it.")
@click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="Of query, candidate, label, ...")
@click.option("--positive", multiple=True, metavar="VALUE", help="A label that means relevant; others do not.")
@click.option("--only-positives", is_flag=True, help="All rows are relevant (clicks): draw irrelevant ones at random.")
@click.option("--language-map", multiple=True, metavar="VALUE=CODE,...", help="Languages of countries: us=en,uk=en.")
@click.option("--split-name", "split_names", multiple=True, metavar="SPLIT=VALUE", help="What a split is called.")
@click.option("--path-separator", metavar="MARK", help="Between the levels of a path; default: found in the file.")
@ENCODING
@click.option("--header", default="", metavar="NAME,...", help="Names of the columns, of a file without a header.")
@ESCAPE
@QUOTE
@click.option("--yes", is_flag=True, help="Take the likeliest answer where something is unsure.")
def init(
    *,
    qc: str | None,
    qi: str | None,
    language: str,
    columns: tuple[str, ...],
    positive: tuple[str, ...],
    only_positives: bool,
    language_map: tuple[str, ...],
    split_names: tuple[str, ...],
    path_separator: str | None,
    encoding: str,
    header: str,
    escape: str | None,
    quote: str | None,
    yes: bool,
) -> None:
    """Look at your own labelled pairs, and write the params that read them."""
    from babelshelf.commands.init import InitOptions, write  # noqa: PLC0415
    from babelshelf.commands.init.options import (  # noqa: PLC0415
        parsed_columns,
        parsed_language_map,
        parsed_split_names,
    )
    from babelshelf.core.errors import InputError  # noqa: PLC0415

    paths = {task: path for task, path in (("qc", qc), ("qi", qi)) if path}
    if not paths:
        raise InputError("give --qc, --qi or both")
    options = InitOptions(
        paths=paths,
        columns=parsed_columns(columns),
        language=language,
        positive=positive,
        only_positives=only_positives,
        language_map=parsed_language_map(language_map),
        split_names=parsed_split_names(split_names),
        path_separator=path_separator,
        encoding=encoding,
        header=names(header),
        escape=escape,
        quote=quote,
        accept=yes,
    )
    for line in write(options):
        click.echo(line)


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("submission"), help="Folder to write; default: submission."
)
@click.option("--final", is_flag=True, help="Of the models that were also trained on dev and test (predict_final).")
def submit(*, out: Path, final: bool) -> None:
    """Write, check and zip the competition's submission; before: dvc repro predict@qc predict@qi."""
    from babelshelf.commands.submit import submit as write_submissions  # noqa: PLC0415
    from babelshelf.core.params import load  # noqa: PLC0415
    from babelshelf.prepare.params import PrepareParams  # noqa: PLC0415

    stage, folder = ("predict_final", "final") if final else ("predict", "submission")
    for line in write_submissions(load(PrepareParams, "prepare"), Path("data/predictions", folder), out, stage):
        click.echo(line)


@main.command()
@click.argument("pairs", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path))
@score_options
def score(*, pairs: Path, out: Path, **options: Any) -> None:  # noqa: ANN401 - fields of ScoreCommandOptions
    """Score the pairs of a CSV, JSON-lines or Parquet file of any size; OUT's suffix says its format."""
    from babelshelf.commands.score.command import score as score_pairs  # noqa: PLC0415

    for line in score_pairs(pairs, out, ScoreCommandOptions(**options)):
        click.echo(line, err=True)


@main.command("try")
@try_options
def try_(**options: Any) -> None:  # noqa: ANN401 - fields of TryOptions
    """Ask the model a query of your own on a local page, and see what it learned from."""
    from babelshelf.commands.try_page.command import try_models  # noqa: PLC0415

    try_models(TryOptions(**options))


@main.command()
@click.argument("what", metavar="TASK|VARIANT")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", "to", required=True, metavar="FORMAT", help="cross-encoder, vllm-score, ...: docs/serving.md.")
@export_options
def export(*, what: str, out: Path, to: str, **options: Any) -> None:  # noqa: ANN401 - fields of ExportOptions
    """Write the model of a TASK (qc, qi), or the training set VARIANT, into the folder OUT for other tools."""
    from babelshelf.commands.export import command  # noqa: PLC0415

    for line in command.export(command.source_of(what, ExportOptions(**options)), out, to):
        click.echo(line)


@main.command()
@click.argument("name", required=False)
def profile(name: str | None) -> None:
    """Apply profiles/NAME.yaml to params.yaml, or choose a source or backend, such as translate.vllm; no NAME: list."""
    from babelshelf.commands.profile import apply, choose, known  # noqa: PLC0415

    if name is None:
        click.echo("\n".join(known()))
        return
    changes = choose(name) if "." in name else apply(name)
    for path, old, new in changes:
        click.echo(f"{path}: {old} -> {new}")
    if not changes:
        click.echo(f"params.yaml is as profile {name} has it")


@main.command()
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--minutes", type=click.FloatRange(min=0.1), default=10, help="For each task; default: 10.")
@click.option("--yes", is_flag=True, help="Write the chosen params without a question.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("tune"), help="Folder to write; default: tune.")
def tune(*, tasks: tuple[str, ...], minutes: float, yes: bool, out: Path) -> None:
    """Find out which data step gains on your pairs, with the classifier, and write the params."""
    from babelshelf.commands.tune.command import tune as tune_tasks  # noqa: PLC0415

    tune_tasks(tasks, minutes=minutes, yes=yes, out=out)


@main.command()
@click.argument("task", required=False)
@review_options
def review(*, task: str | None, **options: Any) -> None:  # noqa: ANN401 - fields of ReviewOptions
    """Decide on labels that look wrong in a local page; the decisions go to reviews/, and the filter applies them."""
    from babelshelf.commands.review.command import run  # noqa: PLC0415

    for line in run(task, ReviewOptions(**options)):
        click.echo(line)


@main.command()
@click.argument("rows", nargs=-1, metavar="[ROW]...")
@click.option("--seeds", callback=seeds, help="Instead of the rows' own: 1,2,3.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="Experiments to run at once; default: 1.")
@LADDER
def ladder(*, rows: tuple[str, ...], seeds: list[int], jobs: int, file: Path) -> None:
    """Run the rows of a ladder, each as a DVC experiment; all of them, or just the named ones."""
    from rich.console import Console  # noqa: PLC0415

    from babelshelf.commands.ladder.run import run  # noqa: PLC0415

    run(rows, seeds, jobs, file, Console())


if __name__ == "__main__":
    main()
