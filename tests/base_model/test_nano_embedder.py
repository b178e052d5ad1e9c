"""The embedder that is made on the spot: an ordinary sentence-transformers model, in which like is near like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sentence_transformers import SentenceTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from babelshelf.base_model.nano_embedder import build, train_tokenizer
from babelshelf.base_model.params import NanoEmbedderParams
from babelshelf.core.errors import InputError
from babelshelf.encoder.embedder import load_embedder
from tests.encoder.test_embedder import encoded, settings

TREE = {
    "Shoes > Women": ["Sneakers", "Ankle Boots", "Sandals", "Ballet Flats", "Slippers"],
    "Kitchen > Cookware": ["Frying Pans", "Pressure Cookers", "Woks", "Saucepans", "Stockpots"],
    "Electronics > Phones": ["Phone Cases", "Chargers", "Screen Protectors", "Power Banks", "Headsets"],
}
PATHS = [f"{parent} > {leaf}" for parent, leaves in TREE.items() for leaf in leaves]
TITLES = [
    f"{brand} {thing} {extra}"
    for thing in ("running sneakers", "cast iron frying pan", "silicone phone case")
    for brand in ("Brelnox", "Tulvexa", "Kyzeno")
    for extra in ("black", "for women", "2024 new")
]
SETTINGS = NanoEmbedderParams(vocab_size=512, dimension=12)


def texts(candidates: list[str], queries: list[str]) -> pl.DataFrame:
    kinds = ["candidate"] * len(candidates) + ["query"] * len(queries)
    return pl.DataFrame({"text": candidates + queries, "kind": kinds}).with_columns(language=pl.lit("en"))


def vectors_of(some: list[str], queries: list[str] | None = None) -> np.ndarray:
    return encoded(build(texts(PATHS + TITLES, queries or []), SETTINGS, 1), some)


def test_siblings_of_the_tree_are_nearer_than_all_others() -> None:
    vectors = vectors_of(PATHS)
    parents = np.array([path.rsplit(" > ", 1)[0] for path in PATHS])
    siblings = parents[:, None] == parents
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, np.nan)
    assert np.nanmin(np.where(siblings, similarity, np.nan)) > np.nanmax(np.where(siblings, np.nan, similarity))


def test_the_nearest_title_is_of_the_same_product() -> None:
    vectors = vectors_of(TITLES)
    similarity = vectors @ vectors.T - 2 * np.eye(len(TITLES))
    assert (similarity.argmax(axis=1) // 9 == np.arange(len(TITLES)) // 9).all()


def test_a_saved_model_is_loaded_as_any_embedder_and_gives_the_same_unit_vectors(tmp_path: Path) -> None:
    model = build(texts(PATHS, []), SETTINGS, 1)
    model.save(str(tmp_path / "embedder"))
    vectors = encoded(load_embedder(tmp_path / "embedder", settings()), PATHS, batch_size=4)
    assert vectors.shape == (len(PATHS), 12)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors, encoded(model, PATHS), rtol=0, atol=1e-6)


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        build(texts(PATHS + TITLES, []), SETTINGS, 1).save(str(folder))
    one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders)
    assert one == two


def test_similarities_are_those_of_latent_semantic_analysis() -> None:
    corpus = PATHS + TITLES
    tokenizer = train_tokenizer(corpus, SETTINGS.vocab_size)
    weighted = TfidfVectorizer(analyzer=lambda text: tokenizer.encode(text).tokens).fit_transform(corpus)
    expected = normalize(TruncatedSVD(SETTINGS.dimension, random_state=0, n_iter=20).fit_transform(weighted))
    vectors = vectors_of(corpus)
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=0.02)


def test_the_model_itself_gives_unit_vectors_and_encode_makes_them_of_any() -> None:
    model = build(texts(PATHS, []), SETTINGS, 1)
    for vectors in (model.encode(PATHS), encoded(SentenceTransformer(modules=[model[0]]), PATHS)):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_unseen_words_leave_a_text_where_its_known_words_put_it() -> None:
    vectors = vectors_of([*PATHS, "ШАПКА Sneakers 帽子", "ШАПКА"])
    assert (vectors[:-2] @ vectors[-2]).argmax() == PATHS.index("Shoes > Women > Sneakers")
    assert not np.isnan(vectors).any()


def test_case_width_and_punctuation_make_no_difference() -> None:
    one, other = vectors_of(["Shoes > Women > Sneakers", "ＳＨＯＥＳ, women (sneakers)"])
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_queries_take_no_part() -> None:
    np.testing.assert_array_equal(vectors_of(PATHS), vectors_of(PATHS, queries=["zapatillas mujer", "iphone hülle"]))


def test_too_few_candidates_are_an_error_with_the_mend() -> None:
    with pytest.raises(InputError, match=r"12 dimensions, but the catalogue only 3 candidates .* below 3"):
        build(texts(PATHS[:3], []), SETTINGS, 1)
