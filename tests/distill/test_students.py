"""A student learns its targets, soft ones too, and `score` reads what it writes."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sentence_transformers import CrossEncoder

from babelshelf.classifier import model_folder
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.distill.students import classifier, cross_encoder
from babelshelf.score.scorer import kind_of, load_scorer, read_record, refuse_final, score_pairs
from babelshelf.trainer.training import last_checkpoint
from tests.distill.lessons import agreement, inputs, lessons, params
from tests.helpers import tiny_encoder, tiny_lm
from tests.helpers.hash_encoder import HashEncoder

NEW = tiny_lm.rows(queries=("something new", "for him"))
OWN: dict[str, Any] = {
    "revision": "none",
    "loss": "bce",
    "max_length": 32,
    "epochs": 10,
    "batch_size": 16,
    "learning_rate": 0.003,
    "warmup_share": 0.1,
    "weight_decay": 0.01,
    "precision": "fp32",
}


def scores(base: Path, model: Path, rows: pl.DataFrame, work: Path) -> np.ndarray:
    with load_scorer(base, model, tiny_lm.score_params()) as scorer:
        return score_pairs(rows, scorer, work)


def test_a_classifier_learns_how_sure_the_teacher_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folder, "load_embedder", lambda *_: HashEncoder())
    (tmp_path / "base" / "embedder").mkdir(parents=True)
    metrics = classifier.train(lessons(), inputs(tmp_path), tmp_path / "model")
    p_yes = scores(tmp_path / "base", tmp_path / "model", NEW, tmp_path / "work")
    assert agreement(p_yes, NEW) == 1
    assert 0.6 < p_yes.max() < 0.9  # the targets are 0.2 and 0.8
    assert metrics["average_precision"] > 0.99
    assert kind_of(tmp_path / "model") == "classifier"
    record = read_record(tmp_path / "model")
    assert (record["variant"], record["teacher"]["model"]) == ("original", "models/sft/original/qi")
    of_training_rows = model_folder.read_scores(tmp_path / "model", tiny_lm.rows())
    assert of_training_rows["p_yes"].is_between(0, 1).all()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [text for row in lessons().rows.select("query", "candidate").rows() for text in row]
    return tiny_encoder.save(tmp_path_factory.mktemp("encoder"), texts)


@pytest.fixture(scope="module")
def trained(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder that was trained without a break; beside it its metrics."""
    folder = tmp_path_factory.mktemp("cross_encoder")
    settings = inputs(folder, student="cross_encoder", cross_encoder=OWN | {"model": str(encoder)})
    metrics = cross_encoder.train(lessons(), settings, folder / "model")
    assert metrics["steps"] == 10 * 3
    assert metrics["weights"] > 10_000
    return folder / "model"


def test_a_cross_encoder_learns_how_sure_the_teacher_is(trained: Path, tmp_path: Path) -> None:
    p_yes = scores(tmp_path, trained, NEW, tmp_path / "work")
    assert agreement(p_yes, NEW) == 1
    assert 0.6 < p_yes.max() < 0.9


def test_a_cross_encoder_learns_margins(encoder: Path, tmp_path: Path) -> None:
    own = OWN | {"model": str(encoder), "loss": "margin_mse", "learning_rate": 0.01}
    settings = inputs(tmp_path, student="cross_encoder", cross_encoder=own)
    taught = lessons()
    alone = taught.rows.tail(1).with_columns(query=pl.lit("alone"))
    with_alone = dataclasses.replace(
        taught, rows=pl.concat([taught.rows, alone]), targets=np.append(taught.targets, 0.5)
    )
    metrics = cross_encoder.train(with_alone, settings, tmp_path / "model")
    assert (metrics["margins"], metrics["rows_without_margin"]) == (taught.rows.height, 1)
    assert metrics["steps"] == 10 * 3  # as many as with bce
    p_yes = scores(tmp_path, tmp_path / "model", NEW, tmp_path / "work")
    is_shoe = NEW["candidate"].is_in(tiny_lm.SHOES).to_numpy()
    logits = np.log(p_yes) - np.log1p(-p_yes)
    margin = logits[is_shoe].mean() - logits[~is_shoe].mean()
    assert margin == pytest.approx(2 * np.log(0.8 / 0.2), rel=0.45)  # the targets are 0.2 and 0.8, learned with dropout


def test_sentence_transformers_reads_the_folder_and_gives_the_same(trained: Path, tmp_path: Path) -> None:
    pairs = NEW.select("query", "candidate").rows()
    theirs = CrossEncoder(str(trained), local_files_only=True).predict(pairs, show_progress_bar=False)
    assert np.abs(scores(tmp_path, trained, NEW, tmp_path / "work") - theirs).max() < 1e-6


def test_the_record_says_what_other_models_say(trained: Path, encoder: Path) -> None:
    assert kind_of(trained) == "cross_encoder"
    record = read_record(trained)
    assert (record["variant"], record["encoder"]["folder"], record["max_length"]) == ("original", str(encoder), 32)
    refuse_final(trained)
    assert "sentence-transformers" in read_json(trained / "versions.json")


def test_a_killed_training_ends_with_the_same_weights(
    trained: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = inputs(tmp_path, student="cross_encoder", cross_encoder=OWN | {"model": str(encoder)})

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("babelshelf.trainer.training.ProgressBar.on_log", _kill_after(12))
        with pytest.raises(KeyboardInterrupt):
            cross_encoder.train(lessons(), settings, tmp_path / "model")
    last = last_checkpoint(tmp_path / "checkpoints")
    assert last is not None
    assert last.name == "checkpoint-10"
    cross_encoder.train(lessons(), settings, tmp_path / "model")
    one, other = (CrossEncoder(str(folder), local_files_only=True).model for folder in (trained, tmp_path / "model"))
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


def _kill_after(step: int) -> Any:  # noqa: ANN401
    def on_log(self: object, args: object, state: Any, control: object, **_: object) -> None:  # noqa: ANN401
        if state.global_step >= step:
            raise KeyboardInterrupt

    return on_log


def test_a_pair_that_is_too_long_is_shortened_and_still_scored(trained: Path, tmp_path: Path) -> None:
    long = NEW.with_columns(candidate=pl.col("candidate") + " with a glass lid" * 200)
    assert np.isfinite(scores(tmp_path, trained, long, tmp_path / "work")).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("/no/such/folder", "no such folder"),
        ("nano", "expected a hub id"),
        ("./LM with spaces", "no such folder"),
        ("with spaces", "expected a hub id"),
    ],
)
def test_an_encoder_that_can_t_be_had(tmp_path: Path, model: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cross_encoder.train(
            lessons(),
            inputs(tmp_path, student="cross_encoder", cross_encoder=OWN | {"model": model}),
            tmp_path / "model",
        )


@pytest.mark.parametrize(
    ("left_out", "message"), [("tokenizer.json", "has no tokenizer"), ("model.safetensors", "can't be trained")]
)
def test_a_folder_that_lacks_a_part_is_named(encoder: Path, tmp_path: Path, left_out: str, message: str) -> None:
    shutil.copytree(encoder, tmp_path / "half", ignore=shutil.ignore_patterns(left_out))
    settings = inputs(tmp_path, student="cross_encoder", cross_encoder=OWN | {"model": str(tmp_path / "half")})
    with pytest.raises(InputError, match=f"distill.cross_encoder.model: .*half {message}"):
        cross_encoder.train(lessons(), settings, tmp_path / "model")


def test_an_unknown_student_is_answered_with_all_students() -> None:
    with pytest.raises(InputError, match="cross_encoder"):
        params(student="none")


def test_the_seed_decides_the_head_s_first_weights(trained: Path, encoder: Path, tmp_path: Path) -> None:
    settings = inputs(tmp_path, student="cross_encoder", cross_encoder=OWN | {"model": str(encoder), "epochs": 1})
    for seed in (1, 2):
        cross_encoder.train(
            lessons(), dataclasses.replace(settings, seed=seed, checkpoints=tmp_path / f"c{seed}"), tmp_path / f"{seed}"
        )
    one, other = (scores(tmp_path, tmp_path / name, NEW, tmp_path / f"work{name}") for name in ("1", "2"))
    assert not np.allclose(one, other, atol=1e-4)
