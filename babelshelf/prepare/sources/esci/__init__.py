"""Amazon's Shopping Queries data set (arXiv 2206.06588): graded pairs of a query and a product, for the task qi.

A folder with two Parquet files: examples, which have the queries and grades, and products, which have the titles.
docs/sources/esci.md says what becomes of each row.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.pairs.dropped_rows import bad_rows, described
from babelshelf.pairs.labels import label_keys
from babelshelf.pairs.readers import read_file
from babelshelf.pairs.rows import coded, identified, parsed_rows
from babelshelf.pairs.splits import KEPT
from babelshelf.prepare.from_pairs import SHOWN, Pairs, check_share, of_pairs
from babelshelf.prepare.marketplace import Inputs, Marketplace
from babelshelf.prepare.published import PublishedFile, as_files, published_file
from babelshelf.prepare.sources.esci.params import SECTION, Params

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams, FilesParams

__all__ = ["SECTION", "TASKS", "Params", "read", "read_pairs"]
TASK: Literal["qi"] = "qi"
TASKS = (TASK,)
EXAMPLES = "shopping_queries_dataset_examples.parquet"
PRODUCTS = "shopping_queries_dataset_products.parquet"
LANGUAGES = {"us": "en", "es": "es", "jp": "ja"}  # of the locales
GRADES = {"exact": "E", "substitute": "S", "complement": "C", "irrelevant": "I"}
OTHER_VERSION, OTHER_LOCALE, NO_PRODUCT = "other_version", "other_locale", "no_product"
PARQUET = b"PAR1"
POINTER = b"version https://git-lfs"


def read(inputs: Inputs, settings: Params, seed: int) -> Marketplace:
    """Read the two files, join them, and cut dev out of train; test is the data set's own.

    Args:
        inputs: the folder, as `qi`.
        settings: of the source.
        seed: of the cut.

    Raises:
        InputError: as `read_pairs`, or `marketplace` says why the rows won't do.
    """
    return of_pairs(read_pairs(inputs, settings), seed)


def read_pairs(inputs: Inputs, settings: Params) -> Pairs:
    """Read the examples with the titles of their products.

    Raises:
        InputError: a file is missing, is no whole Parquet file or lacks columns, or no good row is of the split test.
    """
    folder = inputs[TASK]
    _check_files(folder)
    files = _files(settings)
    version = f"{settings.version}_version"
    wanted = {role: name for role, name in files.qi.columns if name and role != "candidate"}
    examples = read_file(folder / EXAMPLES, files.qi, wanted | {"product": "product_id", "version": version})
    titles, counts = _titles(folder / PRODUCTS, files.qi)
    raw = _joined(_with_reasons(examples, settings), titles)
    rows = coded(parsed_rows(raw, files.qi, files, "").with_columns(task=pl.lit(TASK), file=pl.lit(EXAMPLES)))
    rows = identified(rows, has_ids=True, one_file=True).with_row_index("order")
    _check_test(rows, files, folder / EXAMPLES)
    return Pairs(rows, files, counts={TASK: {"products": counts}})


def _check_test(rows: pl.DataFrame, files: FilesParams, path: Path) -> None:
    """Refuse examples of which none can be test: it would be cut out of train."""
    test = rows.filter(given="test")
    if not test.filter(KEPT).is_empty():
        return
    check_share(rows, bad_rows(rows, files), files)
    bad = bad_rows(test, files)
    if bad.is_empty():
        raise InputError(f"{path}: no row of the split test: give the file as it was published")
    total = f"{path}: of the split test, all rows that the params ask for are bad, {bad.height}; the first:"
    raise InputError("\n".join([total, *described(bad, SHOWN)]))


def _files(settings: Params) -> FilesParams:
    split = {"test_share": settings.split.dev_share, **settings.split.model_dump()}  # no test is ever cut
    return as_files(settings, {TASK: _file(settings)}, split, ["train", "test"])


def _file(settings: Params) -> PublishedFile:
    columns = {"query": "query", "candidate": "product_title", "label": "esci_label", "language": "product_locale"}
    meanings = _meanings(settings).items()
    labels = {
        label: [GRADES[grade] for grade, meaning in meanings if meaning == label] for label in ("positive", "negative")
    }
    return published_file(EXAMPLES, "parquet", columns | {"id": "example_id", "split": "split"}, labels)


def _meanings(settings: Params) -> dict[str, str]:
    return {"exact": "positive", "irrelevant": "negative", **settings.grades.model_dump()}


def _check_files(folder: Path) -> None:
    """Refuse what is no whole Parquet file; raise the InputErrors of both."""
    problems = [problem for name in (EXAMPLES, PRODUCTS) if (problem := _problem(folder / name))]
    if problems:
        raise InputError("\n".join(problems))


def _problem(file: Path) -> str:
    if not file.is_file():
        return f"{file}: no such file in the folder that prepare.input.{TASK} names, or the path of a part of `mixed`"
    try:
        start, end = _ends(file)
    except OSError as error:
        return f"{file}: cannot be read: {error}"
    if start == POINTER:
        return f"{file}: a pointer of Git LFS and not the file: run `git lfs pull` where it was cloned"
    if not start.startswith(PARQUET) or end != PARQUET:
        return f"{file}: no Parquet file, or not all of it: get it again"
    return ""


def _ends(file: Path) -> tuple[bytes, bytes]:
    with file.open("rb") as stream:
        start = stream.read(len(POINTER))
        stream.seek(-min(len(PARQUET), file.stat().st_size), 2)
        return start, stream.read()


def _with_reasons(examples: pl.DataFrame, settings: Params) -> pl.DataFrame:
    """`problem` of the rows that the params leave out, whose texts are not needed any more."""
    labels = label_keys(examples["label"])
    reasons = {
        OTHER_VERSION: label_keys(examples["version"]).fill_null("") != "1",
        OTHER_LOCALE: ~examples["language"].fill_null("").is_in(settings.locales),
        **{
            grade: labels == GRADES[grade].lower()
            for grade, meaning in _meanings(settings).items()
            if meaning == "drop"
        },
    }
    left_out = [pl.when(pl.lit(rows)).then(pl.lit(reason)) for reason, rows in reasons.items()]
    found = examples.with_columns(problem=pl.coalesce("problem", *left_out))
    return found.with_columns(pl.when(pl.col("problem").is_null()).then(pl.col("query", "product")))


def _titles(file: Path, settings: FileParams) -> tuple[pl.DataFrame, dict[str, int]]:
    """The title of each product of a locale, columns `product`, `locale`, `candidate`, and what was counted.

    Of rows with the same product and locale the first that has a title is taken.
    """
    wanted = {"product": "product_id", "locale": "product_locale", "candidate": "product_title"}
    products = read_file(file, settings, wanted).select("product", "locale", "candidate")
    has_title = pl.col("candidate").fill_null("") != ""
    titles = products.sort(has_title, descending=True, maintain_order=True).unique(
        ["product", "locale"], keep="first", maintain_order=True
    )
    counts = {
        "read": products.height,
        "duplicate": products.height - titles.height,
        "without_title": titles.filter(~has_title).height,
    }
    return titles, counts


def _joined(examples: pl.DataFrame, titles: pl.DataFrame) -> pl.DataFrame:
    """The examples with `candidate`; a product is there by its id and its locale, as locales share ids."""
    found = examples.join(
        titles.with_columns(found=True),
        left_on=["product", "language"],
        right_on=["product", "locale"],
        how="left",
        maintain_order="left",
    )
    no_product = pl.when(pl.col("found").is_null()).then(pl.lit(NO_PRODUCT))
    return found.with_columns(
        problem=pl.coalesce("problem", no_product), language=pl.col("language").replace(LANGUAGES)
    ).drop("found", "product", "version")
