"""What a user can do about a file or a row that is not taken: another thing where its format is of params or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mends:
    """The mends of what reads a file, in the words that its user has.

    Attributes:
        column: what stands before the name of a missing column; `{role}` is put in.
        parquet: of Parquet where another format was expected.
        quote: of a quote that is never closed.
        form: of a file that can't be parsed.
        rows: of a bad row, by its problem; where a problem is not here, its mend in `rows.PROBLEMS` is for all.
    """

    column: str
    parquet: str
    quote: str
    form: str
    rows: Mapping[str, str] = field(default_factory=dict)


OF_PARAMS = Mends(
    column="columns.{role}: ",
    parquet="set prepare.files.<task>.format to parquet",
    quote="mend it, or set prepare.files.<task>.quote to none",
    form="write the file again, or correct prepare.files.<task>.format, delimiter and encoding",
)
# Of a data set whose format is known: there is no param to set.
PUBLISHED = Mends(
    column="",
    parquet="get the file again, as it was published",
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
# Of a file that the user names on a command line, and whose format is found.
FOUND = Mends(
    column="",
    parquet="give it a name that ends with .parquet",
    quote="mend it",
    form="write the file again, as CSV, JSON lines or Parquet",
    rows={"encoding": "save the file as UTF-8"},
)
