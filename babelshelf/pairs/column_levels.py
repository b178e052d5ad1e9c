"""Find columns that hold the levels of a category path: `category_l1, category_l2`, or `department, category`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from babelshelf.pairs.column_names import SYNONYMS, WITHIN, closeness, plain
from babelshelf.pairs.column_profiles import ColumnProfile

NESTED = 0.95  # of the rows
NUMBERED = re.compile(r"^(?P<before>.*?)(?P<number>\d+)(?P<after>\D*)$")
LEVEL_WORDS = {
    *("category", "categories", "cat", "level", "levels", "lvl", "l", "tier", "taxonomy", "department", "dept", "c"),
    *(
        "breadcrumb",
        "kategorie",
        "ebene",
        "warengruppe",
        "categorie",
        "niveau",
        "categoria",
        "nivel",
        "nível",
        "livello",
    ),
    *(
        "kategoria",
        "poziom",
        "カテゴリ",
        "카테고리",
        "분류",
        "فئة",
        "หมวดหมู่",
        "danh",
        "mục",
        "kategori",
        "path",
        "node",
    ),
}
# Names without numbers, from the root down.
FAMILIES = (
    r"(main|top|root|parent|primary|first|super) ?(category|cat)|department|dept|section|segment|division"
    r"|hauptkategorie|oberkategorie",
    r"(product )?(category|cat)( name)?|kategorie|second(ary)? ?(category|cat)|aisle",
    r"(sub ?|child ?)(category|cat)( name)?|unterkategorie|shelf",
    r"(sub ?){2}(category|cat)|(leaf|third|tertiary) ?(category|cat)|subunterkategorie|leaf",
    r"(sub ?){3}(category|cat)",
)


def nested_columns(profiles: Sequence[ColumnProfile]) -> list[str]:
    """Names of the columns, if they are levels: nearly each value of one stands below one value of the one before.

    None where they are not, or where a column has as many values as there are rows, as titles have.
    """
    ranked = sorted(profiles, key=lambda profile: profile.sample.n_unique())
    if any(profile.counts is None or 2 * profile.counts.height > profile.present for profile in ranked):
        return []
    for above, below in pairwise(ranked):
        pairs = pl.DataFrame({"above": above.sample, "below": below.sample}).drop_nulls()
        usual = pairs.group_by("below", "above").len().group_by("below").agg(pl.col("len").max()).get_column("len")
        if above.sample.n_unique() == below.sample.n_unique() or usual.sum() < NESTED * max(pairs.height, 1):
            return []
    return [profile.name for profile in ranked]


def level_columns(profiles: Sequence[ColumnProfile]) -> list[str]:
    """Names of the columns that are the levels of one path, from the root down; none where there are fewer than two.

    A column with whole paths (`category_path`) goes before columns of levels.
    """
    if any(plain(profile.name) in {"category path", "path", "breadcrumb", "breadcrumbs"} for profile in profiles):
        return []
    families: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for profile in profiles:
        if found := NUMBERED.match(plain(profile.name)):
            families[found["before"].strip(), found["after"].strip()].append((int(found["number"]), profile.name))
    for (before, after), members in families.items():
        words = {*before.split(), *after.split()}
        is_level = words & LEVEL_WORDS or closeness(f"{before} {after}", SYNONYMS["qc"]) >= WITHIN
        numbers = sorted(number for number, _ in members)
        if is_level and len(members) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return [name for _, name in sorted(members)]
    ranked = [
        (rank, profile.name)
        for profile in profiles
        for rank, family in enumerate(FAMILIES)
        if re.fullmatch(family, plain(profile.name))
    ]
    names = [name for _, name in sorted(ranked)]
    return names if len(names) > 1 and len({rank for rank, _ in ranked}) == len(names) else []
