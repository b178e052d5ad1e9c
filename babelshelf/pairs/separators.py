"""Find the mark between the levels of category paths, from all paths: for `babelshelf init` and `babelshelf score`.

A mark is a whole run of characters that are no letters or digits (`>`, `>>`, `->`, `//`, `&gt;`), with the spaces
around it: in `TV/Audio | Lamps` the marks are `/` without spaces and `|` with spaces on both sides. The mark whose
structure is the most consistent over the rows wins: it has names on both sides, stands in most rows, and always has
the same spaces. Spaces on both sides count for more than none, as a mark without spaces is often part of a name.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import polars as pl

from babelshelf.core.rows import LEVEL
from babelshelf.pairs.guesses import Guess, Outcome, percent

ENTITIES = r"&(?:gt|raquo|rsaquo|rarr|#62|#187|#8250|#8594|#x3[eE]);"
# Usual parts of names: `T-Shirts & Tops`, `Kid's (0-2)`, `No. 5`, `50%`. Of these only an arrow, a spaced dash, a
# comma, or a dot, dash or underscore that each path has may separate levels.
NAME_MARKS = "&'’‘`´.,()\\-–—+%\"“”!?#*°®™_@\\[\\]{}"
DASHES = "-–—"
RARE_MARKS = "#+*@%"  # in names too; of which a run that all paths have may separate levels, as two dashes may
# Vowel signs and other combining characters, which Python's \w leaves out.
COMBINING = "".join(char for char in map(chr, range(0x10000)) if unicodedata.category(char).startswith("M"))
MARK = re.compile(
    rf"\s*(?:(?:{ENTITIES})+|[-=]+>|[^\w\s{COMBINING}{NAME_MARKS}]+)\s*|\s+[{DASHES}]+\s+|\s*,\s*"
    rf"|(?<=\w)(?:[{DASHES}_]+|\.)(?=\w)|\s*[{RARE_MARKS}]+\s*"
)
SPACED, TIGHT, AFTER, OTHER = "spaced", "tight", "after", "other"  # spaces on both sides, on none, after it alone
WEIGHTS = {SPACED: 1.0, TIGHT: 0.8, AFTER: 0.7, OTHER: 0.5}
DASH_WEIGHT, COMMA_WEIGHT, SLUG_WEIGHT = 0.6, 0.4, 0.3
SLUG_SHARE = 0.95  # of rows that have a tight dot, dash or underscore, before it counts as a separator
MOST = 0.5  # of rows that have the mark
SURE_SHARE = 0.8
FEW = 0.05  # of rows: a mark with spaces on both sides that so many have is worth a question
FEW_PATHS = 10  # different ones: with fewer, a mark without spaces on both sides is not sure
MARGIN = 1.2  # by which a mark has to win
SAMPLED = 200_000  # different paths that are looked at; each counts with all of its rows
LIST = r"^\[\s*(.*?)\s*\]$"
TUPLE = r"""^\(\s*(["'].*["'])\s*,?\s*\)$"""
ARRAY = r"^\{([^{}]*)\}$"  # of PostgreSQL: elements that hold a comma are in double quotes
ELEMENT = r"""("[^"]*"|[^",]+),"""
LIST_COMMA = r"""["']\s*,\s*["']"""
OPTION = "--path-separator MARK"


@dataclass(frozen=True)
class Structure:
    """How a mark stands in the paths.

    Attributes:
        mark: without the spaces around it.
        style: which spaces are around it most often.
        share: of rows that have it in this style, with a name on both sides.
        consistency: share of its occurrences that have this style.
        branches: share of the rows with the mark whose first level goes on in more than one way.
    """

    mark: str
    style: str
    share: float
    consistency: float
    branches: float

    @property
    def weight(self) -> float:
        """How well the mark serves as a separator, by what it is and the spaces around it; 0 if it does not."""
        is_slug = (set(self.mark) <= set("._" + DASHES) and self.style == TIGHT) or set(self.mark) <= set(RARE_MARKS)
        if is_slug:
            return SLUG_WEIGHT if self.share >= SLUG_SHARE else 0.0
        if set(self.mark) <= set(DASHES):
            return DASH_WEIGHT
        if self.mark == ",":
            return COMMA_WEIGHT
        return WEIGHTS[self.style]

    @property
    def score(self) -> float:
        """From 0 to 1; the separator has the highest."""
        return self.share * self.consistency * self.weight

    @property
    def param(self) -> str:
        """The mark as `path_separator` has it: with its spaces where it occurs in another style too."""
        spaced = {SPACED: f" {self.mark} ", AFTER: f"{self.mark} "}.get(self.style, self.mark)
        is_also_in_names = self.consistency < 1 or set(self.mark) <= set(DASHES)
        return spaced if is_also_in_names and self.mark != "," else self.mark


def guess_separator(paths: pl.DataFrame, where: str = "") -> Guess:
    """The mark between the levels of most paths; `value` is "" where there is none.

    Args:
        paths: columns `value`, different paths, and `count`, the rows of each.
        where: the file, for messages.
    """
    paths = paths.filter(pl.col("value").str.strip_chars() != "").with_columns(value=unwrapped(pl.col("value")))
    total = int(paths["count"].sum())
    found = sorted(structures(paths), key=lambda structure: structure.score, reverse=True)
    found = [structure for structure in found if structure.score > 0 and _is_enough(structure)]
    examples = tuple(paths.sort("count", descending=True)["value"].head(2))
    subject = "separator between the levels of a path"
    if not found or not total:
        reason = "no levels found: category paths have no mark in common"
        return Guess(subject, "", Outcome.CHECK, 1.0, reason, examples, OPTION, where)
    best = found[0]
    shown = tuple(paths.filter(pl.col("value").str.contains(best.mark, literal=True))["value"].head(2))
    clear = len(found) == 1 or best.score >= MARGIN * found[1].score
    tree = best.style == SPACED or (best.branches >= MOST and paths.height >= FEW_PATHS)
    sure = clear and tree and best.share >= SURE_SHARE and best.weight > DASH_WEIGHT
    within = [other for other in found[1:] if other.share >= MOST and other.weight >= WEIGHTS[AFTER]]
    reason = f"or {found[1].param!r}" if not clear else ""
    if clear and within:  # such as several paths in a cell
        reason = f"{within[0].param!r}, in {percent(within[0].share)} of rows too, stays a part of the names"
    return Guess(
        *(subject, best.param, Outcome.SURE if sure and not reason else Outcome.CHECK, best.share, reason),
        *(shown, OPTION, where),
    )


def structures(paths: pl.DataFrame) -> list[Structure]:
    """How each mark stands in some paths (`value`, `count`), in the style that it has most often."""
    rows: dict[tuple[str, str], int] = {}
    times: dict[str, dict[str, int]] = {}
    following: dict[tuple[str, str], dict[str, set[str]]] = {}
    starts: dict[tuple[str, str], dict[str, int]] = {}
    for value, count in paths.select("value", "count").head(SAMPLED).iter_rows():
        marks = [found for found in MARK.finditer(value) if found.start() > 0 and found.end() < len(value)]
        seen: set[tuple[str, str]] = set()
        for found in marks:
            key = (found.group().strip(), _style(found.group()))
            times.setdefault(key[0], {}).setdefault(key[1], 0)
            times[key[0]][key[1]] += count
            if key in seen:
                continue
            seen.add(key)
            first, rest = value[: found.start()], value[found.end() :].split(found.group(), 1)[0]
            following.setdefault(key, {}).setdefault(first, set()).add(rest)
            starts.setdefault(key, {}).setdefault(first, 0)
            starts[key][first] += count
        for key in seen:
            rows[key] = rows.get(key, 0) + count
    total = max(int(paths["count"].head(SAMPLED).sum()), 1)
    result = []
    for mark, styles in times.items():
        style = max(styles, key=lambda name: (styles[name], name))
        key = (mark, style)
        branching = sum(count for first, count in starts[key].items() if len(following[key][first]) > 1)
        consistency = styles[style] / sum(styles.values())
        result.append(Structure(mark, style, rows[key] / total, consistency, branching / rows[key]))
    return result


def unwrapped(text: pl.Expr) -> pl.Expr:
    """Paths written as a list in text (`["Home >> Lamps"]`, `["Home", "Lamps"]`, `{Home,Lamps}`) without its marks."""
    inner = text.str.replace(LIST, "$1").str.replace(TUPLE, "$1")
    listed = inner.str.replace_all(LIST_COMMA, LEVEL).str.strip_chars("\"'")
    array = (
        text.str.replace(ARRAY, "$1").str.replace_all(ELEMENT, f"${{1}}{LEVEL}").str.replace_all('"', "", literal=True)
    )
    is_list = text.str.contains(f"{LIST}|{TUPLE}")
    return pl.when(is_list).then(listed).when(text.str.contains(ARRAY)).then(array).otherwise(text)


def _is_enough(structure: Structure) -> bool:
    return structure.share >= (FEW if structure.style == SPACED and structure.weight == 1.0 else MOST)


def _style(mark: str) -> str:
    before, after = mark[0].isspace(), mark[-1].isspace()
    if before and after:
        return SPACED
    if after:
        return AFTER
    return OTHER if before else TIGHT
