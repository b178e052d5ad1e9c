"""The card of an exported training set: `README.md` with the hub's metadata, which `datasets` reads the files by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from babelshelf.core import languages

if TYPE_CHECKING:
    from huggingface_hub import DatasetCard

    from babelshelf.commands.export.exported_pairs import ExportedPairs

SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M"}
LARGEST = "10M<n<100M"
ORIGINS = {
    "original": "as they were given",
    "translated": "with a translated query",
    "negative": "with a mined candidate, and label 0 unless it was corrected",
    "relabelled": "relabelled",
}
SIMULATED = " They are simulated (Babelshelf's demo)."
VALIDATION = {"dev": "validation"}  # as the hub calls the split


def data_card(source: ExportedPairs, library: str, usage: str) -> DatasetCard:
    """The card.

    Args:
        source: the training set, which was written.
        library: the hub's name of the library that reads the export.
        usage: Markdown, how to read it.
    """
    from huggingface_hub import DatasetCard, DatasetCardData  # noqa: PLC0415 - slow to import

    rows = pl.concat([split.select("language", "origin", "label") for split in source.splits.values()])
    total = sum(written.entries for written in source.written)
    configs = [
        {
            "config_name": task,
            "data_files": [
                {"split": VALIDATION.get(one.split, one.split), "path": one.file.as_posix()}
                for one in source.written
                if one.task == task
            ],
        }
        for task in dict.fromkeys(one.task for one in source.written)
    ]
    data = DatasetCardData(
        language=sorted(rows["language"].unique()),
        task_categories=["text-ranking"],
        size_categories=next((name for size, name in SIZES.items() if total < size), LARGEST),
        pretty_name=f"Babelshelf, {source.variant}",
        tags=["babelshelf", "e-commerce", "product-search", library],
        configs=configs,
    )
    body = f"""\
# Babelshelf, {source.variant}

Pairs of a query and a candidate of product search: {_origins(rows)}.{SIMULATED if source.source == "demo" else ""}

`qc` has category paths as candidates, `qi` item titles. The split dev has the labelled rows of dev, of other queries
than train; test is not in this folder.

## Usage

{usage.strip()}

## Contents

{_files(source)}

{_languages(rows)}

## Licence

The rights are those of the pairs' source: state its licence before you pass this on.
"""
    return DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{body}")


def _origins(rows: pl.DataFrame) -> str:
    counts = dict(rows["origin"].value_counts().iter_rows())
    return ", ".join(f"{counts[origin]:,} {named}" for origin, named in ORIGINS.items() if origin in counts)


def _files(source: ExportedPairs) -> str:
    lines = ["| file | entries | labelled pairs | without a place in this format |", "|:--|--:|--:|--:|"]
    lines += [f"| `{one.file}` | {one.entries:,} | {one.pairs:,} | {one.unused:,} |" for one in source.written]
    return "\n".join(lines)


def _languages(rows: pl.DataFrame) -> str:
    counts = rows.group_by("language").agg(
        pl.len().alias("rows"),
        pl.col("label").mean().alias("share"),
        (pl.col("origin") == "original").sum().alias("own"),
    )
    lines = ["| language | pairs | of them original | relevant |", "|:--|--:|--:|--:|"]
    for code, total, share, own in counts.sort("language").iter_rows():
        lines.append(f"| {languages.name(code)} (`{code}`) | {total:,} | {own:,} | {share:.1%} |")
    return "\n".join(lines)
