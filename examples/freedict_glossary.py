"""Write a glossary for `translate.backend: lexicon` from FreeDict's dictionaries, for the words of your queries.

    apt-get install dict-freedict-eng-deu dict-freedict-eng-ita    # or from freedict.org: .index and .dict.dz
    python -m examples.freedict_glossary data/original/qc/train.parquet glossary.tsv --language de --language it

A term is a word, or two or three in a row, of the English queries. Its name in a language is the one that most of its
entries begin with. A dictionary knows no shop: look through the glossary before you use it. What it covers is printed.
FreeDict's dictionaries are free (GPL, CC BY-SA); each names its own licence.
"""

from __future__ import annotations

import gzip
import re
import string
from collections import Counter
from pathlib import Path

import click
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.text.words import words

DICTIONARIES = Path("/usr/share/dictd")
CODES = {
    "ar": "ara", "bg": "bul", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "es": "spa", "fi": "fin", "fr": "fra",
    "hi": "hin", "hr": "hrv", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn", "lt": "lit", "nl": "nld", "no": "nor",
    "pl": "pol", "pt": "por", "ru": "rus", "sr": "srp", "sv": "swe", "tr": "tur",
}  # fmt: skip
LONGEST = 3  # words of a term
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"  # of offsets in an index of dictd
ASIDE = re.compile(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}")  # grammar, field, remark, reference
NUMBER = re.compile(r"^\s*(?:[IVX]+\.|\d+\.)\s*")


@click.command(help=__doc__)
@click.argument("rows", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("glossary", type=click.Path(path_type=Path))
@click.option("--language", "languages", multiple=True, required=True, type=click.Choice(sorted(CODES)))
@click.option("--dictionaries", type=click.Path(path_type=Path), default=DICTIONARIES, show_default=True)
def main(*, rows: Path, glossary: Path, languages: tuple[str, ...], dictionaries: Path) -> None:  # noqa: D103
    queries = pl.read_parquet(rows).filter(pl.col("language") == "en")["query"].unique().sort().to_list()
    terms = sorted({term for query in queries for term in _terms(words(query))})
    names = {code: _names(dictionaries / f"freedict-eng-{CODES[code]}", set(terms)) for code in languages}
    lines = ["\t".join(["en", *languages])]
    for term in terms:
        cells = [names[code].get(term, "") for code in languages]
        if any(cells):
            lines.append("\t".join([term, *cells]))
    with replacing(glossary) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    used = Counter(word for query in queries for word in words(query))
    click.echo(f"{glossary}: {len(lines) - 1:,} terms of {len(queries):,} English queries")
    for code in languages:
        named = {word for term in names[code] for word in term.split()}
        share = sum(count for word, count in used.items() if word in named) / max(used.total(), 1)
        click.echo(f"  {code}: {len(names[code]):,} terms, {share:.0%} of the words of the queries")


def _terms(query: list[str]) -> list[str]:
    """All runs of up to `LONGEST` words."""
    return [" ".join(query[i : i + size]) for size in range(1, LONGEST + 1) for i in range(len(query) - size + 1)]


def _names(dictionary: Path, terms: set[str]) -> dict[str, str]:
    """The name of each term that a dictionary has: the most frequent first translation of its entries."""
    index, entries = dictionary.with_suffix(".index"), dictionary.with_suffix(".dict.dz")
    if not (index.is_file() and entries.is_file()):
        raise InputError(f"{dictionary}: no .index and .dict.dz; install dict-{dictionary.name} or name --dictionaries")
    content = gzip.decompress(entries.read_bytes())
    found: dict[str, Counter[str]] = {}
    for line in index.read_text(encoding="utf-8").splitlines():
        head, begin, length, *_ = line.split("\t")
        term = " ".join(words(head))
        if term in terms:
            entry = content[_number(begin) : _number(begin) + _number(length)].decode("utf-8", errors="replace")
            name = _first_name(entry)
            if name:
                found.setdefault(term, Counter())[name] += 1
    return {term: counts.most_common(1)[0][0] for term, counts in found.items()}


def _number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = 64 * value + DIGITS.index(digit)
    return value


def _first_name(entry: str) -> str:
    """The first translation of an entry, whose first line is the headword; "" where it has none in plain words."""
    for line in entry.splitlines()[1:]:
        text = NUMBER.sub("", NUMBER.sub("", ASIDE.sub(" ", line)).strip())
        name = " ".join(re.split(r"[,;،]", text)[0].split())
        if name and name.replace(" ", "").replace("-", "").isalpha():
            return name
    return ""


if __name__ == "__main__":
    main()
