"""A role that several columns have, such as a candidate from a title and a brand, or from the levels of a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from babelshelf.core.rows import LEVEL

TITLE = "title"  # a candidate of qi: to the readers, a list of texts is the path of a candidate alone


def single_columns(wanted: Mapping[str, Sequence[str]], task: str) -> dict[str, str]:
    """`{role: name}` for the readers, where a role may have several columns: the further ones are `<role>.1`, ...

    The candidate of `qi` is `TITLE`.
    """
    return {
        f"{_read_as(role, task)}.{number}" if number else _read_as(role, task): name
        for role, names in wanted.items()
        for number, name in enumerate(names)
    }


def joined_columns(rows: pl.DataFrame, wanted: Mapping[str, Sequence[str]], task: str) -> pl.DataFrame:
    """The rows with one text for each role of `wanted`: parts that are there are joined, levels of a path by " > "."""
    mark = LEVEL if task == "qc" else " "
    rows = rows.rename({name: name.replace(TITLE, "candidate", 1) for name in rows.columns if _is_title(name, task)})
    several = {role: [role, *(f"{role}.{n}" for n in range(1, len(names)))] for role, names in wanted.items()}
    several = {role: parts for role, parts in several.items() if len(parts) > 1}
    texts = {
        role: pl.concat_str(
            [pl.col(part).str.strip_chars().replace("", None) for part in parts], separator=mark, ignore_nulls=True
        ).replace("", None)
        for role, parts in several.items()
    }
    return rows.with_columns(**texts).drop(part for parts in several.values() for part in parts[1:])


def _read_as(role: str, task: str) -> str:
    return TITLE if (role, task) == ("candidate", "qi") else role


def _is_title(name: str, task: str) -> bool:
    return task == "qi" and (name == TITLE or name.startswith(f"{TITLE}."))
