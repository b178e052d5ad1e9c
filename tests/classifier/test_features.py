"""Features of pairs: each text is embedded once, in any order of rows; the lexical ones are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.classifier import contrast
from babelshelf.classifier import features as module
from babelshelf.classifier.contrast import Neighbourhood, Reference
from babelshelf.classifier.features import pair_features, training_features
from babelshelf.classifier.lexical import NAMES, LexicalTexts
from tests.helpers.hash_encoder import HashEncoder

ROWS = pl.DataFrame(
    {
        "query": ["red shoes", "red shoes", "usb cable 2", "シャツ"],
        "candidate": ["Shoes > Red", "Cables", "Usb Cable 20 cm", "Shoes > Red"],
    }
)


def lexical(query: str, candidate: str) -> dict[str, float]:
    texts = pl.Series([query, candidate, candidate.rsplit(" > ", maxsplit=1)[-1]])
    values = LexicalTexts.of(texts).features(*(np.array([number], np.int32) for number in range(3)))
    return dict(zip(NAMES, values[0].tolist(), strict=True))


def of_cosine(cosine: float, others: list[float]) -> list[float]:
    """The contrast features of fewer reference candidates than a neighbourhood has."""
    return [cosine - max(others), cosine - float(np.mean(others)), (cosine - np.mean(others)) / np.std(others)]


def test_a_row_has_the_vectors_combined_the_cosines_and_their_contrast_with_other_candidates(tmp_path: Path) -> None:
    encoder = HashEncoder()
    row = training_features(ROWS, encoder, tmp_path)[0:1][0]
    u, v, w = encoder.encode(["red shoes", "Shoes > Red", "Red"])
    paths = encoder.encode(ROWS["candidate"].unique().to_list())
    lasts = encoder.encode(["Red", "Cables", "Usb Cable 20 cm"])
    single = [u @ v, u @ w, *of_cosine(u @ v, list(paths @ u)), *of_cosine(u @ w, list(lasts @ u))]
    expected = [*(u * v), *np.abs(u - v), *v, *(u * w), *single]
    assert np.allclose(row[: -len(NAMES)], expected, atol=1e-4)


def test_other_rows_are_contrasted_with_the_candidates_of_the_training_rows(tmp_path: Path) -> None:
    training = training_features(ROWS, HashEncoder(), tmp_path)
    alone = pair_features(ROWS[1:2], HashEncoder(), tmp_path, training.reference)
    assert np.allclose(alone[:], training[1:2], atol=1e-6)
    some = training_features(ROWS, HashEncoder(), tmp_path, training=np.array([1, 2]))
    assert len(some.reference.candidates) == 2
    assert not np.allclose(some[1:2], training[1:2], atol=1e-3)


def test_a_neighbourhood_is_of_the_nearest_and_a_reference_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.eye(40, dtype=np.float32)
    vectors[0] = np.linspace(0, 0.39, 40)
    found = Neighbourhood.of(vectors, np.array([0, 0], np.int32), vectors[1:])
    assert found.best[0] == pytest.approx(0.39)
    assert found.near[0] == pytest.approx(np.arange(0.30, 0.395, 0.01).mean())
    assert found.mean[0] == pytest.approx(np.arange(0.01, 0.395, 0.01).mean())
    assert found.best[1:].tolist() == [0] * 39
    monkeypatch.setattr(contrast, "MOST", 7)
    numbers = np.repeat(np.arange(40, dtype=np.int32), 2)
    reference = Reference.of(vectors, numbers, None)
    assert reference.candidates.shape == (7, 40)
    assert np.array_equal(Reference.of(vectors, numbers[::-1], None).candidates, reference.candidates)


def test_titles_have_no_features_of_a_last_level_unless_the_model_was_fitted_on_paths(tmp_path: Path) -> None:
    titles, dimension = ROWS[1:3], HashEncoder().dimension
    of_titles = training_features(titles, HashEncoder(), tmp_path)
    paths = training_features(ROWS, HashEncoder(), tmp_path).reference
    of_paths = pair_features(titles, HashEncoder(), tmp_path, paths)
    assert of_paths.shape[1] - of_titles.shape[1] == dimension + len(contrast.NAMES)
    single = 2 + 2 * len(contrast.NAMES) + len(NAMES)
    assert of_paths.prior.tolist() == [1] * 4 * dimension + [module.SINGLE] * single
    assert np.array_equal(of_paths[:][:, 3 * dimension : 4 * dimension], of_paths[:][:, :dimension])


def test_each_distinct_text_is_embedded_once_and_again_only_by_another_encoder(tmp_path: Path) -> None:
    first, same, other = HashEncoder(), HashEncoder(), HashEncoder(identity="hash-2")
    texts = {*ROWS["query"], *ROWS["candidate"], "Red"}
    for encoder in (first, same, other):
        training_features(ROWS, encoder, tmp_path)
    embedded = [sorted(text for call in encoder.calls for text in call) for encoder in (first, same, other)]
    assert embedded == [sorted(texts), [], sorted(texts)]


def test_blocks_rows_and_all_at_once_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.asarray(training_features(ROWS, HashEncoder(), tmp_path))
    monkeypatch.setattr(module, "BLOCK", 3)
    features = training_features(ROWS, HashEncoder(), tmp_path)
    assert features.shape == whole.shape
    assert len(features) == 4
    assert np.array_equal(np.concatenate([features[part] for part in module.blocks(4)]), whole)
    order = np.array([2, 0, 3, 1])
    assert np.array_equal(features[order], whole[order])
    assert np.array_equal(features.take(order)[:], whole[order])


def test_shared_words_and_grams_count_whatever_their_case_and_order() -> None:
    values = lexical("RED shoes", "Shoes > Red")
    assert [values[name] for name in NAMES[:6]] == pytest.approx([1, 1, 3 / 8, 1, 1, 1])


def test_a_number_is_shared_as_a_whole() -> None:
    same, longer, none = lexical("usb 2", "cable 2"), lexical("usb 2", "cable 20"), lexical("usb", "cable 20")
    assert [(v["numbers_in_candidate"], v["numbers_missing"]) for v in (same, longer, none)] == [(1, 0), (0, 1), (0, 0)]


def test_scripts_lengths_and_levels() -> None:
    values = lexical("シャツ", "Shoes > Red > Small")
    assert values["same_script"] == 0
    assert lexical("42", "Shoes")["same_script"] == 1
    assert values["candidate_levels"] == 3
    assert values["query_length"] == pytest.approx(np.log(4))
