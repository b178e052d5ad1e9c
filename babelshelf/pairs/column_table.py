"""A table whose columns have no roles yet, and what the guesses of all roles share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from babelshelf.pairs.column_profiles import ColumnProfile
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.language_values import are_languages

HALF = 0.5

Found = tuple[list[str], Guess | None]  # the columns of a role, and the guess; none of either


@dataclass(frozen=True)
class InputTable:
    """What is known of a table before its columns have roles.

    Attributes:
        profiles: of all columns.
        task: `qc` or `qi`: what a candidate is.
        named: `{role: columns}` that the user named; none for a role that the user took away.
        splits: what splits are called, in lower case.
        where: the file, for messages.
    """

    profiles: Sequence[ColumnProfile]
    task: str
    named: Mapping[str, Sequence[str]]
    splits: Collection[str]
    where: str

    def profile(self, name: str) -> ColumnProfile:
        """Of a column that is there."""
        return next(profile for profile in self.profiles if profile.name == name)


def is_text(profile: ColumnProfile) -> bool:
    """Whether most values have letters, and they are no ids, locations or languages."""
    other = max(profile.shares["ids"], profile.shares["locations"], profile.shares["numbers"])
    return profile.shares["letters"] >= HALF and other < HALF and not are_languages(profile.counts)


def guess_of(role: str, profile: ColumnProfile, outcome: Outcome, table: InputTable, reason: str = "") -> Guess:
    """The guess that a column has a role; its share is that of the rows with a value."""
    share = profile.present / max(profile.rows, 1)
    return Guess(
        *(f"{role} column", profile.name, outcome, share, reason, examples_of(profile)),
        *(f"--column {role}=NAME", table.where),
    )


def examples_of(profile: ColumnProfile) -> tuple[str, ...]:
    """The first different values of a column."""
    return tuple(profile.sample.drop_nulls().unique(maintain_order=True).head(3))
