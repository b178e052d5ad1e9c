"""What the stage writes scores pairs with its own encoder alone, and never its training rows as if they were new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.classifier import model_folder
from babelshelf.classifier.features import training_features
from babelshelf.classifier.model_folder import encoder_record, is_classifier, load_model, read_scores, write_model
from babelshelf.classifier.params import HeadParams
from babelshelf.classifier.training import RowsFit, fit_rows
from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir
from babelshelf.encoder.params import EncoderParams
from babelshelf.llm import base_model
from babelshelf.score.scorer import load_scorer, read_record, refuse_final, score_pairs
from tests.helpers import tiny_lm
from tests.helpers.hash_encoder import HashEncoder

HEAD = HeadParams(penalties=[0.1], folds=3, penalty_rows=1000)
ENCODER = EncoderParams(devices=["cpu"], batch_size=8, precision="fp32", max_length="none", truncate_dim="none")
WORDS = ("lamp", "shoe", "cable", "mug", "rug", "phone")


@pytest.fixture(autouse=True)
def encoders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, HashEncoder]]:
    """The encoder that each folder is loaded as; the cache is a folder of the test."""
    found = {"embedder": HashEncoder()}
    monkeypatch.setattr(model_folder, "load_embedder", lambda folder, _: found[folder.name])
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return found


def rows(count: int = 240) -> pl.DataFrame:
    """Pairs that match if they share a word; every tenth row has no label."""
    random = np.random.default_rng(1)
    queries, candidates = random.integers(len(WORDS), size=(2, count))
    return pl.DataFrame(
        {
            "id": [f"r{number}" for number in range(count)],
            "query": [f"{WORDS[query]} {number // 4}" for number, query in enumerate(queries)],
            "candidate": [f"home > {WORDS[candidate]}" for candidate in candidates],
            "label": [
                None if n % 10 == 0 else int(q == c) for n, (q, c) in enumerate(zip(queries, candidates, strict=True))
            ],
            "group": [f"g{number // 4}" for number in range(count)],
        },
        schema_overrides={"label": pl.Int8},
    )


def fitted(folder: Path, embedder: Path, variant: str = "original") -> RowsFit:
    encoder = HashEncoder()
    features = training_features(rows(), encoder, folder.parent / "vectors")
    fit = fit_rows(features, rows(), HEAD, 1)
    record = {"variant": variant, "encoder": encoder_record(encoder, ENCODER), "path_share": 1.0}
    write_model(folder, fit, record, embedder)
    return fit


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base_model.write(tmp_path / "base" / "embedder", {"builtin": "hash", "sha256": {}})
    return tmp_path / "base"


def test_a_scorer_gives_what_the_classifier_says(tmp_path: Path, base: Path) -> None:
    fit = fitted(tmp_path / "model", base / "embedder")
    expected = fit.classifier.predict(training_features(rows(), HashEncoder(), tmp_path / "other"))
    with load_scorer(base, tmp_path / "model", tiny_lm.score_params()) as scorer:
        scores = score_pairs(rows(), scorer, tmp_path / "done")
    assert np.allclose(scores, expected)
    assert ((scores > 0.5) == (rows()["label"] == 1).fill_null(value=False).to_numpy())[1:10].all()


def test_vectors_are_kept_in_the_folder_that_is_asked_for(tmp_path: Path, base: Path) -> None:
    fitted(tmp_path / "model", base / "embedder")
    with load_scorer(base, tmp_path / "model", tiny_lm.score_params(), vectors=tmp_path / "own") as scorer:
        score_pairs(rows(), scorer, tmp_path / "done")
    assert (tmp_path / "own" / "work.sqlite").is_file()
    assert not (work_dir() / "encoder").exists()


def test_training_rows_are_scored_out_of_fold_and_others_by_the_whole_model(tmp_path: Path, base: Path) -> None:
    fit = fitted(tmp_path / "model", base / "embedder")
    scores = read_scores(tmp_path / "model", rows())["p_yes"].to_numpy()
    whole = fit.classifier.predict(training_features(rows(), HashEncoder(), tmp_path / "other"))
    unlabelled = rows()["label"].is_null().to_numpy()
    assert np.allclose(scores[unlabelled], whole[unlabelled])
    assert not np.isclose(scores[~unlabelled], whole[~unlabelled], rtol=1e-7, atol=0).any()
    assert fit.metrics["rows"] == (~unlabelled).sum()
    assert fit.metrics["average_precision"] > 0.9
    with pytest.raises(InputError, match="other rows"):
        read_scores(tmp_path / "model", rows()[1:])


def test_another_encoder_is_refused(tmp_path: Path, base: Path, encoders: dict[str, HashEncoder]) -> None:
    fitted(tmp_path / "model", base / "embedder")
    encoders["embedder"] = HashEncoder(identity="hash-2")
    with pytest.raises(InputError, match="fitted with another encoder"):
        load_model(base, tmp_path / "model")


def test_without_a_base_the_model_s_own_pointer_names_the_encoder(tmp_path: Path, base: Path) -> None:
    fitted(tmp_path / "model", base / "embedder")
    assert load_model(tmp_path / "none", tmp_path / "model").encoder.identity == "hash-1"
    fitted(tmp_path / "whole", tmp_path / "no-pointer")  # an embedder that is no pointer is not copied
    with pytest.raises(InputError, match="no such folder"):
        load_model(tmp_path / "none", tmp_path / "whole")


def test_the_record_says_what_a_fine_tuned_lm_s_does(tmp_path: Path, base: Path) -> None:
    fitted(tmp_path / "model", base / "embedder")
    fitted(tmp_path / "last", base / "embedder", "final")
    assert is_classifier(tmp_path / "model")
    assert not is_classifier(base)
    assert read_record(tmp_path / "model")["path_share"] == 1
    refuse_final(tmp_path / "model")
    with pytest.raises(InputError, match="trained on dev and test"):
        refuse_final(tmp_path / "last")
    with pytest.raises(InputError, match="no model"):
        read_record(base)
