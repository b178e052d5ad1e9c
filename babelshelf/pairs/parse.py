"""A CSV text, cut into records by a dialect: what dialects are compared by, and where the header is looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babelshelf.pairs.text_stream import Dialect


@dataclass(frozen=True)
class Parse:
    """A text as a dialect has it.

    Attributes:
        dialect: delimiter, quote and escape.
        records: cells of the records, blank ones too.
        sound: whether all quotes are.
        width: the usual number of cells.
        share: of the records that are not blank and below the lines above the header, those of that width.
        skipped: lines above the header.
    """

    dialect: Dialect
    records: Sequence[Sequence[str]]
    sound: bool
    width: int
    share: float
    skipped: int

    @property
    def header(self) -> Sequence[str]:
        """Cells of the header."""
        return self.records[self.skipped] if self.skipped < len(self.records) else []

    @property
    def rows(self) -> list[Sequence[str]]:
        """Records below the header that have its width and are not it once more."""
        return [r for r in self.records[self.skipped + 1 :] if len(r) == self.width and r != self.header]

    @property
    def fits(self) -> tuple[bool, bool, float]:
        """What a better dialect has more of."""
        return self.width > 1, self.sound, self.share if len(self.header) == self.width else self.share / 2

    @property
    def has_title(self) -> bool:
        """Whether a line above the header has text: with another delimiter, it may be the header."""
        return any(any(record) for record in self.records[: self.skipped])
