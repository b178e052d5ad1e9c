"""A folder like Amazon's Shopping Queries data set, which can't be had here: its schema, flaws and size, made-up words.

python -m tests.helpers.esci_folder FOLDER 130652    # queries of the large version: so many as the published one has

Schema, sizes and shares are those of the data set's README (github.com/amazon-science/esci-data). The flaws are those
that a join can have, with made-up frequencies, and a query that the published train and test share.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.prepare.sources.esci import EXAMPLES, PRODUCTS

LOCALES = ("us", "es", "jp")
QUERIES = np.array([97_345, 15_180, 18_127]) / 130_652  # of each locale, of the large version
DEPTH = np.array([18.68, 23.48, 24.61])  # judgements a query
IN_TEST = np.array([22_458, 3_844, 4_667]) / np.array([97_345, 15_180, 18_127])
IN_SMALL = np.array([29_844, 8_049, 10_407]) / np.array([97_345, 15_180, 18_127])
GRADES = ("E", "S", "C", "I")
SHARES = {0: (0.811, 0.127, 0.012, 0.05), 1: (0.4378, 0.343, 0.0515, 0.1677)}  # by small_version; together the large's
PRODUCTS_PER_EXAMPLE = 1_814_924 / 2_621_288
NULL_TITLES, NO_PRODUCT, TWICE = 0.001, 0.0005, 0.0005  # of products
SAME_WORDS = 0.1  # of queries, which need no words of a language, so that two locales can have the same
OTHER_SHOPS = 0.05  # of products, whose id another locale has with another title
WORDS = {
    "us": ("red", "blue", "desk", "lamp", "phone", "case", "garden", "hose", "wool", "hat", "usb", "cable", "steel"),
    "es": (
        "rojo",
        "azul",
        "mesa",
        "lámpara",
        "móvil",
        "funda",
        "jardín",
        "manguera",
        "lana",
        "gorro",
        "cable",
        "acero",
    ),
    "jp": (
        "赤い",
        "青い",
        "机",
        "ランプ",
        "スマホ",
        "ケース",
        "庭",
        "ホース",
        "ウール",
        "帽子",
        "ケーブル",
        "ステンレス",
    ),
}
QUERY_WORDS, TITLE_WORDS = 3, 16


def write_folder(folder: Path, queries: int, seed: int = 1) -> Path:
    """Write the two files; `queries` are of the large version."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    examples, products = made(queries, rng)
    examples.write_parquet(folder / EXAMPLES)
    products.write_parquet(folder / PRODUCTS)
    return folder


def made(count: int, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The examples, and the products of most of them."""
    examples = _examples(_queries(count, rng), rng)
    products = _products(examples.select("product_id", "product_locale").unique(maintain_order=True), rng)
    return examples.select(
        "example_id", "query", "query_id", "product_id", "product_locale", "esci_label", "small_version",
        "large_version", "split",
    ), products  # fmt: skip


def _queries(count: int, rng: np.random.Generator) -> pl.DataFrame:
    locale = rng.choice(3, count, p=QUERIES / QUERIES.sum())
    named = pl.Series(rng.random(count) < SAME_WORDS)
    words = pl.select(pl.when(named).then(pl.lit("Brand")).otherwise(_texts(locale, QUERY_WORDS, rng))).to_series()
    queries = pl.DataFrame(
        {
            "query_id": np.arange(count),
            "words": words,
            "product_locale": pl.Series(locale).replace_strict(dict(enumerate(LOCALES))),
            "split": pl.Series(np.where(rng.random(count) < IN_TEST[locale], "test", "train")),
            "small_version": (rng.random(count) < IN_SMALL[locale]).astype(int),
            "depth": np.maximum(1, rng.poisson(DEPTH[locale])),
        }
    )
    number = pl.int_range(pl.len()).over("product_locale")  # a query is there once in its locale
    queries = queries.with_columns(query=pl.format("{} {}", "words", number)).drop("words")
    leak = queries.filter(split="test", product_locale="us").head(1).with_columns(split=pl.lit("train"))
    return pl.concat([queries, leak])


def _examples(queries: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    rows = queries.select(pl.all().repeat_by("depth").explode()).drop("depth")
    products = max(1, round(rows.height * PRODUCTS_PER_EXAMPLE))
    drawn = rng.random(rows.height)
    bounds = np.cumsum([SHARES[small] for small in (0, 1)], axis=1)[rows["small_version"].to_numpy()]
    grade = np.minimum((drawn[:, None] >= bounds).sum(axis=1), 3)
    return rows.with_columns(
        example_id=pl.int_range(pl.len()),
        product_id=_ids(rng.integers(products, size=rows.height)),
        esci_label=pl.Series(grade).replace_strict(dict(enumerate(GRADES))),
        small_version=pl.col("small_version").cast(pl.Int64),
        large_version=pl.lit(1, pl.Int64),
    )


def _products(wanted: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    there = wanted.filter(pl.Series(rng.random(wanted.height) >= NO_PRODUCT))
    shared = there.sample(fraction=OTHER_SHOPS, seed=1)
    shared = shared.with_columns(product_locale=pl.col("product_locale").replace({"us": "es", "es": "jp", "jp": "us"}))
    listed = pl.concat([there, shared.join(there, on=["product_id", "product_locale"], how="anti")])
    listed = pl.concat([listed, listed.sample(fraction=TWICE, seed=2)])
    locale = listed["product_locale"].replace_strict({name: n for n, name in enumerate(LOCALES)}).to_numpy()
    titles = _texts(locale, TITLE_WORDS, rng) + " " + pl.Series(rng.integers(10**6, size=len(locale))).cast(pl.String)
    none = pl.Series(rng.random(len(locale)) < NULL_TITLES)
    return listed.select(
        "product_id",
        product_title=pl.when(~none).then(titles),
        product_description=pl.when(pl.Series(rng.random(len(locale)) < 0.5)).then(pl.lit("<p>About it.</p>")),
        product_bullet_point=pl.lit("One\nTwo"),
        product_brand=pl.lit("Brand"),
        product_color=pl.lit(None, pl.String),
        product_locale="product_locale",
    )


def _texts(locale: np.ndarray, words: int, rng: np.random.Generator) -> pl.Series:
    """A text of so many words for each locale's number."""
    known = pl.Series([word for name in LOCALES for word in WORDS[name]])
    start = np.cumsum([0, *(len(WORDS[name]) for name in LOCALES[:-1])])[locale]
    sizes = np.array([len(WORDS[name]) for name in LOCALES])[locale]
    columns = [known.gather(start + rng.integers(sizes)).alias(str(n)) for n in range(words)]
    return pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=" ")).to_series()


def _ids(numbers: np.ndarray) -> pl.Series:
    return "B0" + pl.Series(numbers).cast(pl.String).str.zfill(8)


if __name__ == "__main__":
    write_folder(Path(sys.argv[1]), int(sys.argv[2]))
