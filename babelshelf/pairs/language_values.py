"""Whether the values of a column are languages or countries: for `babelshelf init` and `babelshelf score`.

`uk` is Ukrainian as a language and the United Kingdom as a country, `br` Breton or Brazil, `my` Burmese or Malaysia.
What decides is the column's name, the other values, and the script of the rows' queries. Countries are mapped to
languages by the user (`--language-map us=en`); the language that most people of a country write is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import langcodes
import polars as pl

from babelshelf.core.languages import LATIN, find, scripts
from babelshelf.pairs.column_names import is_market
from babelshelf.pairs.guesses import Guess, Outcome

COUNTRY_ALIASES = {"UK": "GB", "EL": "GR"}
AMBIGUOUS = {"in"}  # that `core.languages` knows as a withdrawn code
FEW_SPEAKERS = 500_000  # who write a language: below, a two-letter code is as likely a country
PRIVATE = re.compile("AA|ZZ|Q[M-Z]|X[A-JL-Z]")  # of ISO 3166-1, for private use: no countries
OPTION = "--language-map VALUE=CODE"
FEW_ROWS = 20  # of a language: with fewer its script says nothing
FEW_NATIVE = 0.05  # of the queries of a language have a letter of its script: with fewer, it is probably another one
FEW_FOREIGN = 0.02  # of the queries of a language in Latin script have letters, but no Latin one: with more, some rows
# are probably in another language
NOT_LATIN = r"^[^\p{Latin}]*\p{L}[^\p{Latin}]*$"
NATIVE = 0.2  # of a language's rows whose query must have a letter of its script
MOST = 0.9  # of rows
MANY_LANGUAGES = 80
# Ranges of letters by the Unicode names that `core.languages.scripts` returns.
SCRIPT_RANGES = {
    "ARABIC": r"\p{Arabic}",
    "ARMENIAN": r"\p{Armenian}",
    "BENGALI": r"\p{Bengali}",
    "CYRILLIC": r"\p{Cyrillic}",
    "DEVANAGARI": r"\p{Devanagari}",
    "ETHIOPIC": r"\p{Ethiopic}",
    "GEORGIAN": r"\p{Georgian}",
    "GREEK": r"\p{Greek}",
    "GUJARATI": r"\p{Gujarati}",
    "GURMUKHI": r"\p{Gurmukhi}",
    "CJK": r"\p{Han}",
    "HEBREW": r"\p{Hebrew}",
    "HIRAGANA": r"\p{Hiragana}",
    "KATAKANA": r"\p{Katakana}",
    "KHMER": r"\p{Khmer}",
    "KANNADA": r"\p{Kannada}",
    "HANGUL": r"\p{Hangul}",
    "LAO": r"\p{Lao}",
    "MALAYALAM": r"\p{Malayalam}",
    "MYANMAR": r"\p{Myanmar}",
    "ORIYA": r"\p{Oriya}",
    "SINHALA": r"\p{Sinhala}",
    "TAMIL": r"\p{Tamil}",
    "TELUGU": r"\p{Telugu}",
    "THAI": r"\p{Thai}",
    "TIBETAN": r"\p{Tibetan}",
}


@cache
def home_language(value: str) -> str | None:
    """The language that most people of a country write (CLDR), by its two-letter code; None of what is no country."""
    code = value.strip().upper()
    code = COUNTRY_ALIASES.get(code, code)
    if len(code) != 2 or not (code.isascii() and code.isalpha()) or PRIVATE.fullmatch(code):
        return None
    country = langcodes.Language.make(territory=code)
    return find(country.maximize().language or "") if country.is_valid() else None


def are_languages(counts: pl.DataFrame | None) -> bool:
    """Whether nearly all rows have a value that names a language or a country, and the values are few.

    Args:
        counts: `value` and `count`, over all rows; None of many values.
    """
    if counts is None or not counts.height:
        return False
    total = int(counts["count"].sum())
    known = counts.filter(
        pl.Series(
            [find(value) is not None or home_language(value) is not None for value in counts["value"]], dtype=pl.Boolean
        )
    )
    few = counts.height <= MANY_LANGUAGES + 0.05 * total
    return few and int(known["count"].sum()) >= MOST * total


def guess_languages(
    column: str, counts: pl.DataFrame, rows: pl.DataFrame, mapping: Mapping[str, str], *, named: bool, where: str
) -> tuple[Guess, dict[str, str]]:
    """Whether the values are languages, and the mapping that reads them.

    Args:
        column: its name.
        counts: `value` and `count`, over all rows.
        rows: some rows, with the columns `query` and `language`.
        mapping: `{value: language}` that the user gave, values in lower case.
        named: whether the user named the column.
        where: the file.

    Returns:
        The guess, and the mapping with the languages that are proposed for countries.
    """
    folded = counts.with_columns(value=pl.col("value").str.strip_chars().str.to_lowercase())
    open_values = [value for value in folded["value"].unique(maintain_order=True) if value and value not in mapping]
    doubtful = {value: home for value in open_values if (home := home_language(value)) and _is_doubtful(value, rows)}
    only_countries = {value for value in doubtful if find(value) is None}
    if is_market(column):  # `en` is no country, and `de` the same both ways; but no language of a market is sure
        doubtful |= {value: home for value in open_values if (home := home_language(value)) and home != find(value)}
    proposed = dict(mapping) | doubtful
    languages = sorted({code for value in folded["value"] if (code := proposed.get(value) or find(value))})
    total = max(int(counts["count"].sum()), 1)
    sound = sum(
        count for value, count in folded.iter_rows() if value not in doubtful and (value in mapping or find(value))
    )
    option = f"--language-map {','.join(f'{value}={home}' for value, home in doubtful.items())}"
    examples = tuple(list(doubtful)[:2])
    subject, answer = f"languages of {column!r}", f"{', '.join(languages[:15])}{', ...' if len(languages) > 15 else ''}"
    if doubtful:
        shown = ", ".join(list(doubtful)[:10])
        verb = "are countries" if only_countries else "may be countries"
        reason = f"{shown} {verb}, which may have several languages: say which language the rows of each are in"
        return Guess(subject, answer, Outcome.UNSURE, sound / total, reason, examples, option, where), proposed
    if is_market(column) and not named and set(open_values):
        reason = f"the name {column!r} says a market or country, not a language"
        option = f"--column language={column}, or --language-map VALUE=CODE"
        return Guess(
            subject, answer, Outcome.UNSURE, sound / total, reason, tuple(open_values[:2]), option, where
        ), proposed
    reason, queries = strange_scripts(rows, mapping)
    outcome = Outcome.CHECK if reason else Outcome.SURE
    return Guess(subject, answer, outcome, sound / total, reason, queries, OPTION, where), dict(mapping)


def strange_scripts(rows: pl.DataFrame, mapping: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """What the scripts of queries say against their languages, with examples; "" where they say nothing.

    Of a language with a script of its own, next to no query has a letter of it; or, of one in Latin script, some
    queries have letters, and none of them is Latin.

    Args:
        rows: some rows, with the columns `query` and `language`.
        mapping: `{value: language}` that the user gave, values in lower case.
    """
    foreign, others = {}, {}
    for (value,), part in rows.drop_nulls().group_by("language", maintain_order=True):
        text = str(value).strip().lower()
        code = mapping.get(text) or find(text)
        if code is None or part.height < FEW_ROWS:
            continue
        if native_share(code, part["query"]) < FEW_NATIVE:
            foreign[code] = str(part["query"][0])
        elif scripts(code) == LATIN:
            found = part["query"].filter(part["query"].str.contains(NOT_LATIN))
            if len(found) > FEW_FOREIGN * part.height:
                others[code] = str(found[0])
    reasons = []
    if foreign:
        reasons.append(f"next to no query of {', '.join(sorted(foreign))} has a letter of the language's script")
    if others:
        reasons.append(f"some queries of {', '.join(sorted(others))} are in another script than Latin")
    return "; ".join(reasons), tuple(query for _, query in [*sorted(foreign.items()), *sorted(others.items())])


def native_share(code: str, queries: pl.Series) -> float:
    """Share of the queries that have a letter of the language's script; 1 for a language in Latin script."""
    names = scripts(code)
    if names == LATIN or not len(queries):
        return 1.0
    pattern = "|".join(SCRIPT_RANGES[script] for script in names if script in SCRIPT_RANGES)
    return float(queries.str.contains(pattern).sum()) / len(queries)


def _is_doubtful(value: str, rows: pl.DataFrame) -> bool:
    """Whether a value that is the code of a country is hardly meant as a language."""
    code = find(value)
    if code is None or value in AMBIGUOUS:
        return True
    if home_language(value) == code:
        return False
    if scripts(code) != LATIN:
        same = pl.col("language").str.strip_chars().str.to_lowercase() == value
        return native_share(code, rows.filter(same)["query"].drop_nulls()) < NATIVE
    return langcodes.Language.make(language=code).writing_population() < FEW_SPEAKERS
