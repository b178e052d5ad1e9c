"""Params that describe labelled pairs in files: columns, labels, splits."""

from __future__ import annotations

import codecs
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from babelshelf.core.languages import is_code
from babelshelf.core.params import Section
from babelshelf.pairs.hints import OF_PARAMS, Hints


def _each_once(tasks: list[str]) -> list[str]:
    if len(set(tasks)) < len(tasks):
        raise ValueError("a task is there twice: all of its rows would be read twice")
    return tasks


Tasks = Annotated[list[Literal["qc", "qi"]], Field(min_length=1), AfterValidator(_each_once)]


ColumnName = Annotated[str, Field(min_length=1)]


class ColumnsParams(Section):
    """Names of the columns (CSV, Parquet) or keys (JSON lines); "" is none."""

    query: str = Field(min_length=1)
    candidate: ColumnName | list[ColumnName] = Field(min_length=1)  # several: levels of a path, or parts of a title
    label: str  # none: all rows are relevant, with labels.random_negatives
    language: str
    id: str  # none: ids are made from row numbers
    split: str

    def names(self) -> dict[str, list[str]]:
        """The columns of each role that has one, in the order of the roles."""
        roles = ("query", "candidate", "label", "language", "id", "split")
        values = {role: getattr(self, role) for role in roles}
        return {role: value if isinstance(value, list) else [value] for role, value in values.items() if value}


class LabelsParams(Section):
    """What a label says; values are compared without case, and 1.0 is 1."""

    positive: list[str]
    negative: list[str]
    positive_from: float | Literal["none"]  # graded relevance: numbers from here on are positive, those below are not
    missing: Literal["bad", "drop"]  # a row without a label
    random_negatives: int = Field(ge=0, le=20)  # drawn for each positive, where the files have positives alone

    @model_validator(mode="after")
    def _one_meaning(self) -> LabelsParams:
        both = {value.casefold() for value in self.positive} & {value.casefold() for value in self.negative}
        if both:
            raise ValueError(f"{min(both)!r} is positive and negative: keep one")
        if self.positive_from == "none" and not (self.positive and self.negative) and not self.random_negatives:
            raise ValueError(
                "without positive_from, positive and negative need a value each; for files with positives alone, "
                "set random_negatives to 1"
            )
        return self


class FileParams(Section):
    """The files of one task."""

    hints: ClassVar[Hints] = OF_PARAMS  # how to fix a file that can't be read so
    rows: str  # pattern in the folder, of files whose rows are split by a column, or here; "" is none
    train: str  # patterns of files that are one split; "" is none
    dev: str
    test: str
    format: Literal["csv", "jsonl", "json", "parquet"]  # json: an array, or pretty-printed
    delimiter: str = Field(min_length=1, max_length=4)  # of csv; a tab in TSV
    quote: str = Field(max_length=1)  # of csv; "" is none
    escape: Literal["", "\\"]  # of csv: before a quote or a delimiter that is part of a cell; "" is none
    skip_lines: int = Field(ge=0, le=100)  # of csv: above the header
    header: list[str]  # of csv: names of the columns of a file without a header
    encoding: str  # of csv and jsonl
    columns: ColumnsParams
    language: str  # of all rows, where there is no column of languages
    language_map: dict[str, str]  # values of that column that are no languages, such as a country: us: en
    labels: LabelsParams
    path_separator: str  # what stands between the levels of a category path, which becomes " > "; "" is none

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            codecs.getincrementaldecoder(encoding)("strict").decode(b"", final=True)
            "".encode(encoding)
        except (LookupError, ValueError, TypeError) as error:
            raise ValueError("Python knows no such encoding of text; utf-8 and cp1252 are the usual ones") from error
        return encoding

    @field_validator("language_map")
    @classmethod
    def _codes(cls, mapping: dict[str, str]) -> dict[str, str]:
        for value, code in mapping.items():
            if not is_code(code):
                raise ValueError(f"{value}: {code!r} is no code of ISO 639-1, such as de")
        return {value.strip().lower(): code for value, code in mapping.items()}

    @field_validator("delimiter", "quote")
    @classmethod
    def _within_a_line(cls, mark: str) -> str:
        if set(mark) & {"\r", "\n", "\0"}:
            raise ValueError("a character that ends a line can't be one")
        return mark

    @field_validator("quote")
    @classmethod
    def _ascii(cls, quote: str) -> str:
        if not quote.isascii():
            raise ValueError("only a character of ASCII")
        return quote

    @model_validator(mode="after")
    def _complete(self) -> FileParams:
        if bool(self.columns.language) == bool(self.language):
            raise ValueError("give columns.language or language, and not both")
        if self.language and not is_code(self.language):
            raise ValueError(f"language: {self.language!r} is no code of ISO 639-1, such as de")
        if not self.columns.label and not self.labels.random_negatives:
            raise ValueError(
                "without columns.label all rows are relevant: set labels.random_negatives to 1, or name the column"
            )
        if self.quote == self.delimiter:
            raise ValueError("delimiter and quote are the same")
        if not (self.rows or self.train):
            raise ValueError("give rows or train: the files that training rows come from")
        return self


class HoldoutParams(Section):
    """Languages that are kept out of train, as a stand-in for languages without labels."""

    holdout_languages: list[str]

    @field_validator("holdout_languages")
    @classmethod
    def _codes(cls, codes: list[str]) -> list[str]:
        unknown = [code for code in codes if not is_code(code)]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no code of ISO 639-1, such as de")
        return codes


class CutParams(HoldoutParams):
    """How dev and test are cut out of labelled rows."""

    dev_share: float = Field(gt=0, lt=0.5)  # of query groups
    test_share: float = Field(gt=0, lt=0.5)


class SplitParams(CutParams):
    """Train, dev and test: what the files call them, and how they are cut where the files don't say."""

    names: dict[Literal["train", "dev", "test"], list[str]]  # values of columns.split
    leaks: Literal["error", "drop"]  # rows whose query another split holds: drop them from train, then from dev


class CharactersPerText(Section):
    """Characters of a text."""

    query: int = Field(gt=0)
    candidate: int = Field(gt=0)


class FilesParams(Section):
    """A user's own labelled pairs."""

    tasks: Tasks  # that there are files of
    qc: FileParams
    qi: FileParams
    split: SplitParams
    max_bad_share: float = Field(ge=0, lt=1)  # of rows; up to it, bad rows are dropped and written to a table
    missing_candidate: Literal["bad", "drop"]
    conflicts: Literal["keep", "drop", "majority"]  # a pair with both labels
    long: CharactersPerText  # longer texts are counted
    longest_query: int = Field(gt=0)  # characters; a longer one is a bad row, as no prompt could hold it
