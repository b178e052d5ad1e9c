"""Static embedders, a vector a token: the formats of model2vec and of sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

from babelshelf.encoder.embedder import load_embedder
from babelshelf.llm import base_model
from tests.encoder.test_embedder import settings

WORDS = ["[UNK]", "red", "shoes", "rote", "schuhe"]
VECTORS = np.random.default_rng(1).standard_normal((len(WORDS), 8)).astype(np.float32)
TEXTS = ["red shoes", "rote schuhe", "shoes", "red unknown"]
TOKENS = [[1, 2], [3, 4], [2], [1, 0]]


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def model2vec_folder(folder: Path, tensors: dict[str, np.ndarray], *, modules: bool) -> Path:
    """What `StaticModel.save_pretrained` of model2vec writes; before version 0.3 without modules.json."""
    folder.mkdir()
    config = {"model_type": "model2vec", "architectures": ["StaticModel"], "hidden_dim": 8, "normalize": True}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer().save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors")
    if modules:
        kinds = [(".", "StaticEmbedding"), ("1_Normalize", "Normalize")]
        listed = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(kinds)
        ]
        (folder / "modules.json").write_text(json.dumps(listed), encoding="utf-8")
    return folder


def expected(vectors: np.ndarray) -> np.ndarray:
    means = np.stack([vectors[tokens].mean(axis=0) for tokens in TOKENS])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


@pytest.mark.parametrize("modules", [True, False])
def test_a_model2vec_folder_gives_unit_means_of_its_token_vectors(modules: bool, tmp_path: Path) -> None:
    folder = model2vec_folder(tmp_path / "static", {"embeddings": VECTORS}, modules=modules)
    base_model.write(tmp_path / "embedder", base_model.to_folder(str(folder)))
    encoder = load_embedder(tmp_path / "embedder", settings())
    assert encoder.dimension == 8
    np.testing.assert_allclose(encoder.encode(TEXTS), expected(VECTORS), atol=1e-6)


def test_a_model2vec_folder_with_shared_vectors_and_weights_of_tokens(tmp_path: Path) -> None:
    mapping, weights = np.array([0, 1, 2, 1, 2]), np.array([0.1, 1, 2, 3, 4])
    tensors = {"embeddings": VECTORS[:3], "mapping": mapping, "weights": weights}
    encoder = load_embedder(model2vec_folder(tmp_path / "static", tensors, modules=True), settings())
    vectors = (VECTORS[mapping] * weights[:, None]).astype(np.float32)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected(vectors), atol=1e-6)


def test_a_static_model_of_sentence_transformers_in_a_folder_of_the_user(tmp_path: Path) -> None:
    modules = [StaticEmbedding(tokenizer(), embedding_weights=VECTORS), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "static"))
    base_model.write(tmp_path / "embedder", base_model.to_folder(str(tmp_path / "static")))
    encoder = load_embedder(tmp_path / "embedder", settings(truncate_dim=4))
    vectors = encoder.encode(TEXTS)
    means = np.stack([VECTORS[tokens].mean(axis=0) for tokens in TOKENS])[:, :4]
    np.testing.assert_allclose(vectors, means / np.linalg.norm(means, axis=1, keepdims=True), atol=1e-6)
