"""The parts of `babelshelf review`: which rows, whose decisions, and the page, a report or a file of another tool."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType

import click
import polars as pl

from babelshelf.commands.review.agreement import agreement_lines
from babelshelf.commands.review.gloss import load_glosses
from babelshelf.commands.review.items import DISPUTED, FLAGGED, UNLABELLED, FilteredTask, ReviewItem, read_filtered
from babelshelf.commands.review.next_rows import next_rows
from babelshelf.commands.review.options import ReviewOptions
from babelshelf.commands.review.session import opened
from babelshelf.commands.review.text_vectors import TextVectors, load_vectors
from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.core.params import PARAMS_FILE, load, read
from babelshelf.core.plugins import Plugins
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.tables.reviews import Decision, agreed, read_reviews, reviewer_name
from babelshelf.web.server import require_nicegui, serve

DATA, REVIEWS = Path("data"), Path("reviews")
FORMATS = Plugins("babelshelf.commands.review.formats", "review", "format")


def run(task: str | None, options: ReviewOptions) -> Iterable[str]:
    """Do what the options say.

    Args:
        task: None for all tasks: those that the filter has run on, or that have decisions.
        options: of the command.

    Returns:
        Lines for the screen.

    Raises:
        InputError: an option, a file of decisions or a table is wrong or missing.
    """
    if sum(map(bool, (options.agreement, options.exported, options.imported))) > 1:
        raise InputError("--agreement, --export and --import are three things to do: give one of them")
    if options.next_rows is not None and DISPUTED in options.queues:
        raise InputError("--next ranks flagged and unlabelled rows: leave --queue disputed out")
    if options.agreement:
        return [line for one in _tasks(task) for line in agreement_lines(one, read_reviews(REVIEWS / one))]
    if options.exported:
        return [export_items(_one(task, "--export"), options, options.exported)]
    if options.imported:
        return import_decisions(_one(task, "--import"), options, options.imported)
    review(_tasks(task) if task else _filtered_tasks(), options)
    return []


def review(tasks: Sequence[str], options: ReviewOptions) -> None:
    """Serve the page until Ctrl-C."""
    require_nicegui("babelshelf review")
    from babelshelf.commands.review.page import ReviewMaterial, ReviewPage  # noqa: PLC0415 - needs NiceGUI

    person = reviewer_name(options.name or git_user())
    filtered = {task: read_filtered(task, DATA) for task in tasks}
    vectors = {task: load_vectors(_with_vectors(found, options)) for task, found in filtered.items()}
    with ExitStack() as stack:
        files = {task: stack.enter_context(opened(REVIEWS, task, person)) for task in tasks}
        items = [item for task, found in filtered.items() for item in chosen(found, options, vectors[task])]
        paths = [str(REVIEWS / task / f"{person}.jsonl") for task in tasks]
        click.echo(f"{len(items):,} rows; decisions go to {' and '.join(paths)}")
        glosses = {task: load_glosses(found.rows) for task, found in filtered.items()}
        page = partial(ReviewPage, ReviewMaterial(person, items, files, glosses, vectors))
        serve(page, title="Review", port=options.port, open_browser=options.open_browser)


def chosen(filtered: FilteredTask, options: ReviewOptions, vectors: TextVectors | None) -> list[ReviewItem]:
    """The items of a task, in the order in which they are shown.

    Raises:
        InputError: a file of decisions is wrong.
    """
    queues = _queues(options)
    if options.next_rows is not None:
        return next_rows(
            filtered.items(FLAGGED) if FLAGGED in queues else [],
            filtered.items(UNLABELLED) if UNLABELLED in queues else [],
            options.next_rows,
            absent=_absent(filtered.rows),
            vectors=vectors,
        )
    votes = agreed(read_reviews(REVIEWS / filtered.task))
    disputed = votes.filter(pl.col("yes").list.len() > 0, pl.col("no").list.len() > 0)
    return [item for queue in queues for item in filtered.items(queue, disputed)]


def export_items(task: str, options: ReviewOptions, file: Path) -> str:
    """Write the rows for another tool.

    Raises:
        InputError: there is no such format, or no rows.
    """
    form = _format(options)
    filtered = read_filtered(task, DATA)
    vectors = load_vectors(_with_vectors(filtered, options)) if options.next_rows is not None else None
    items = chosen(filtered, options, vectors)
    if not items:
        raise InputError(f"{task}: no rows to decide on")
    with replacing(file) as temporary:
        form.write(items, temporary)
    return f"{file}: {len(items):,} rows"


def import_decisions(task: str, options: ReviewOptions, file: Path) -> Iterable[str]:
    """Add the decisions of another tool's file to `reviews/<task>`; those that are there already are not added again.

    With --name they are that person's, without it those of the people that the file names.

    Raises:
        InputError: there is no such format, the file is not in it, or a decision has no name of a person.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    people: dict[str, list[Decision]] = {}
    for named, decision in _format(options).read(file):
        if not (options.name or named):
            raise InputError(f"{file}: the decision on {decision.query!r} has no name of a person: give --name")
        people.setdefault(reviewer_name(options.name or named), []).append(decision)
    for person, decisions in people.items():
        with opened(REVIEWS, task, person) as own:
            new = [made for made in decisions if _is_new(made, own.get(made.key))]
            for decision in new:
                own.decide(decision)
        yield f"{REVIEWS / task / person}.jsonl: {len(new):,} of {len(decisions):,} decisions added"
    if not people:
        yield f"{file}: no decisions"


def git_user() -> str:
    """Git's user.name.

    Raises:
        InputError: git has none.
    """
    found = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False).stdout.strip()
    if not found:
        raise InputError("git knows no user.name: give your name by --name")
    return found


def _format(options: ReviewOptions) -> ModuleType:
    return FORMATS.load(options.form.replace("-", "_"))


def _is_new(made: Decision, there: Decision | None) -> bool:
    return there is None or there.label != made.label


def _tasks(task: str | None) -> list[str]:
    known = list(read(PARAMS_FILE).get("tasks", {}))
    if task is not None and task not in known:
        raise InputError(f"{PARAMS_FILE} has no tasks.{task}: the tasks are {', '.join(known)}")
    return known if task is None else [task]


def _filtered_tasks() -> list[str]:
    """The tasks that the filter has run on."""
    known = _tasks(None)
    filtered = [task for task in known if (DATA / "filtered" / task / "dropped.parquet").is_file()]
    if not filtered:
        stages = " ".join(f"filter@{task}" for task in known)
        raise InputError(f"{DATA / 'filtered'}: the filter has not run: run `dvc repro {stages}`")
    return filtered


def _one(task: str | None, option: str) -> str:
    if task is None:
        raise InputError(f"{option}: a file has the rows of one task: name the TASK")
    return _tasks(task)[0]


def _queues(options: ReviewOptions) -> Sequence[str]:
    """Those that are named, or that are usual."""
    return options.queues or ((FLAGGED,) if options.next_rows is None else (FLAGGED, UNLABELLED))


def _with_vectors(filtered: FilteredTask, options: ReviewOptions) -> pl.DataFrame:
    """The rows whose texts need vectors: those to predict may be very many, and need none where they are not shown."""
    return filtered.rows if UNLABELLED in _queues(options) else filtered.rows.drop_nulls("label")


def _absent(rows: pl.DataFrame) -> frozenset[str]:
    """Languages with fewer labelled rows than `evaluate.in_train_rows`."""
    least = load(EvaluateParams, "evaluate").in_train_rows
    labelled = rows.filter(pl.col("label").is_not_null(), pl.col("origin") == "original")
    present = labelled.group_by("language").len().filter(pl.col("len") >= least)["language"]
    return frozenset(rows["language"].unique()) - frozenset(present)
