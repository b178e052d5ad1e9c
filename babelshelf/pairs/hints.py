"""How to fix a file or a row that can't be read, in the words of its user: who has params, options, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hints:
    """What the error messages about a file say that its user can do.

    Attributes:
        column: what stands before the name of a missing column; `{role}` is put in.
        parquet: of Parquet where another format was expected.
        quote: of quotes that do not fit.
        array: of a JSON array where lines were expected.
        form: of a file that can't be parsed.
        unlabelled: of a file without the column of labels.
        rows: of a bad row, by its problem; where a problem is not here, that of `dropped_rows.PROBLEMS` is for all.
    """

    column: str
    parquet: str
    quote: str
    array: str
    form: str
    unlabelled: str = ""
    rows: Mapping[str, str] = field(default_factory=dict)


OF_PARAMS = Hints(
    column="columns.{role}: ",
    parquet="set prepare.files.<task>.format to parquet",
    array="set prepare.files.<task>.format to json",
    quote="correct it, or set quote and escape of prepare.files.<task> to what the file has ('' is none)",
    form="write the file again, or correct prepare.files.<task>.format, delimiter and encoding",
    unlabelled=(
        "; leave a file without labels out: give `init` a pattern that does not match it, such as 'FOLDER/train*', or "
        "set train, dev and test of prepare.files.<task>; `babelshelf score` scores it later"
    ),
)
# Of a data set whose format is known: there is no param to set.
PUBLISHED = Hints(
    column="",
    parquet="get the file again, as it was published",
    array="get the file again, as it was published",
    quote="get the file again, as it was published",
    form="get the file again, as it was published",
    rows={
        "encoding": "save the file as UTF-8",
        "bad_label": "correct it, or take the row out",
        "bad_split": "correct it, or take the row out",
        "empty_id": "write one, or take the row out",
        "duplicate_id": "take one of the rows out",
    },
)
# Of a file that the user names on a command line, and whose format is detected.
DETECTED = Hints(
    column="",
    parquet="give it a name that ends with .parquet",
    array="write one object a line",
    quote="correct the quotes: each is doubled within a quoted cell, or none is special",
    form="write the file again, as CSV, JSON lines or Parquet",
    rows={"encoding": "save the file as UTF-8, or say --encoding NAME"},
)
