"""Embedding equals a hand-written reference on Qwen3-Embedding's layout, in one process or two, killed or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from babelshelf.core.errors import InputError
from babelshelf.core.params import section
from babelshelf.encoder import embedder as module
from babelshelf.encoder.embedder import encode, load_embedder
from babelshelf.encoder.encoder import Encoder
from babelshelf.encoder.sentence_transformer import SentenceTransformerEncoder
from babelshelf.mine_negatives.params import MineNegativesParams
from tests.helpers import tiny_embedder
from tests.helpers.tiny_embedder import TEXTS, WIDTH
from tests.runtime.test_child_process import assert_none_outlives

INSTRUCTION = "Instruct: Given a category path, retrieve paths of similar categories\nQuery:"


def settings(**changes: object) -> MineNegativesParams:
    values: dict[str, object] = {
        "devices": ["cpu"],
        "batch_size": 3,
        "precision": "fp32",
        "max_length": "none",
        "truncate_dim": "none",
        "query_prompt": "",
        "index": "flat",
        "codes": "fp32",
        "ivf": {"lists": 16, "probes": 4},
        "hnsw": {"links": 16, "ef_construction": 100, "ef_search": 100},
        "origins": ["original"],
        "rank_window": [0, 1],
        "positive_share": 0.5,
        "guards": [],
    }
    return section(MineNegativesParams, {"mine_negatives": values | changes}, "mine_negatives", None)


def encoded(embedder: Encoder, texts: Sequence[str], prompt: str = "") -> np.ndarray:
    with TemporaryDirectory() as done:
        return np.array(encode(embedder, texts, Path(done), prompt))


def _model(encoder: Encoder) -> SentenceTransformer:
    assert isinstance(encoder, SentenceTransformerEncoder)
    return encoder.model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_embedder.save(tmp_path_factory.mktemp("embedder"))


@torch.inference_mode()
def reference(
    folder: Path,
    texts: Sequence[str],
    *,
    max_length: int = 256,
    dimension: int = WIDTH,
    dtype: torch.dtype = torch.float32,
) -> np.ndarray:
    """The last hidden state at the last token of each text alone, shortened and scaled to length 1."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModel.from_pretrained(folder, dtype=dtype).eval()
    rows = []
    for text in texts:
        batch = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
        assert batch["input_ids"][0, -1] == tokenizer.convert_tokens_to_ids("<|endoftext|>")
        rows.append(model(**batch).last_hidden_state[0, -1, :dimension].float().numpy())
    vectors = np.stack(rows)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_documents_are_embedded_as_they_are_by_their_last_token(folder: Path) -> None:
    vectors = encoded(load_embedder(folder, settings()), TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, reference(folder, TEXTS), rtol=0, atol=1e-6)
    assert np.abs(vectors[:-1] - vectors[1:]).max(axis=1).min() > 0.01  # the texts' vectors do differ


def test_batches_are_padded_on_the_left_and_end_with_the_end_token(folder: Path) -> None:
    features = _model(load_embedder(folder, settings())).preprocess(TEXTS)
    mask = features["attention_mask"]
    assert mask[:, -1].all()
    assert not mask[:, 0].all()
    assert (features["input_ids"][:, -1] == 0).all()  # <|endoftext|>


def test_a_query_stands_behind_its_instruction(folder: Path) -> None:
    vectors = encoded(load_embedder(folder, settings()), TEXTS, INSTRUCTION)
    np.testing.assert_allclose(vectors, reference(folder, [INSTRUCTION + text for text in TEXTS]), rtol=0, atol=1e-6)
    assert np.abs(vectors - reference(folder, TEXTS)).max() > 0.01


def test_a_truncated_vector_is_the_first_dimensions_scaled_to_length_one(folder: Path) -> None:
    changes = {"truncate_dim": 8}
    vectors = encoded(load_embedder(folder, settings(**changes)), TEXTS)
    assert vectors.shape == (len(TEXTS), 8)
    np.testing.assert_allclose(vectors, reference(folder, TEXTS, dimension=8), rtol=0, atol=1e-6)


def test_a_long_text_is_cut_before_its_end_token(folder: Path) -> None:
    changes = {"max_length": 6}
    vectors = encoded(load_embedder(folder, settings(**changes)), TEXTS)
    np.testing.assert_allclose(vectors, reference(folder, TEXTS, max_length=6), rtol=0, atol=1e-6)
    assert np.abs(vectors - reference(folder, TEXTS)).max() > 0.01


def test_bf16_runs_the_weights_in_bf16_and_gives_unit_vectors_of_fp32(folder: Path) -> None:
    changes = {"precision": "bf16"}
    embedder = load_embedder(folder, settings(**changes))
    assert _model(embedder).dtype == torch.bfloat16
    vectors = encoded(embedder, TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(vectors, reference(folder, TEXTS, dtype=torch.bfloat16), rtol=0, atol=0.03)


@pytest.mark.slow
def test_two_processes_give_the_vectors_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 10)
    texts = [f"{text} {number}" for number in range(4) for text in TEXTS]
    changes = {"devices": ["cpu", "cpu"]}
    two = encoded(load_embedder(folder, settings(**changes)), texts)
    np.testing.assert_allclose(two, encoded(load_embedder(folder, settings()), texts), rtol=0, atol=1e-6)


class _Recorder:
    """Stands for `embedder` and notes the texts; breaks off at its `fatal`-th chunk."""

    name, dimension, identity, languages = "recorder", WIDTH, "", None

    def __init__(self, embedder: Encoder, fatal: int | None = None) -> None:
        self.embedder, self.fatal, self.seen = embedder, fatal, list[list[str]]()

    def encode(self, texts: Sequence[str], prompt: str = "") -> np.ndarray:
        if len(self.seen) + 1 == self.fatal:
            raise MemoryError
        self.seen.append(list(texts))
        return self.embedder.encode(texts, prompt)


def test_a_broken_run_goes_on_from_its_finished_chunks_to_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    embedder = load_embedder(folder, settings())
    broken, resumed = _Recorder(embedder, fatal=3), _Recorder(embedder)
    with pytest.raises(MemoryError):
        encode(broken, TEXTS, tmp_path / "done")
    vectors = encode(resumed, TEXTS, tmp_path / "done")
    assert broken.seen + resumed.seen == [TEXTS[start : start + 2] for start in range(0, len(TEXTS), 2)]
    np.testing.assert_array_equal(vectors, encode(embedder, TEXTS, tmp_path / "undisturbed"))


KILLED = """
import sys, time
from pathlib import Path
from babelshelf.encoder import embedder as module
from tests.encoder.test_embedder import TEXTS, settings
module.CHUNK = 1
embedder = module.load_embedder(Path(sys.argv[1]), settings())
plain = embedder.encode
def slow(texts, prompt):
    time.sleep(0.3)
    return plain(texts, prompt)
embedder.encode = slow
module.encode(embedder, TEXTS, Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_kill_minus_nine_loses_no_finished_chunk(
    folder: Path, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = tmp_path / "done"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), str(done)], cwd=root)
    while not (done / "finished.json").is_file() and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    monkeypatch.setattr(module, "CHUNK", 1)
    embedder = load_embedder(folder, settings())
    resumed = _Recorder(embedder)
    vectors = encode(resumed, TEXTS, done)
    assert 0 < len(resumed.seen) < len(TEXTS)
    np.testing.assert_array_equal(vectors, encode(embedder, TEXTS, tmp_path / "undisturbed"))


POOL = """
import sys, time
from pathlib import Path
from babelshelf.encoder import embedder
from tests.encoder.test_embedder import settings

if __name__ == "__main__":
    model = embedder.load_embedder(Path(sys.argv[1]), settings(devices=["cpu", "cpu"]))
    with model.workers():
        print(model.encode(["red shoes", "blue shoes"]).shape, flush=True)
        time.sleep(600)
"""


@pytest.mark.slow
def test_no_process_of_the_pool_outlives_kill_minus_nine(folder: Path) -> None:
    assert_none_outlives(POOL, folder, at_least=2)


def test_where_all_is_finished_no_process_starts(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = load_embedder(folder, settings())
    vectors = encode(embedder, TEXTS, tmp_path)
    two = load_embedder(folder, settings(devices=["cpu", "cpu"]))
    monkeypatch.setattr(_model(two), "start_multi_process_pool", None)
    np.testing.assert_array_equal(encode(two, TEXTS, tmp_path), vectors)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sentence-transformers model"):
        load_embedder(tmp_path, settings())


def test_more_dimensions_than_the_embedder_has_are_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match=r"truncate_dim is 64, but .* has only 32"):
        load_embedder(folder, settings(truncate_dim=64))


def test_texts_longer_than_the_embedder_reads_are_an_error(folder: Path) -> None:
    assert _model(load_embedder(folder, settings(max_length=256))).max_seq_length == 256
    with pytest.raises(InputError, match=r"mine_negatives\.max_length is 257, but .* reads 256 tokens at most"):
        load_embedder(folder, settings(max_length=257))


def test_a_missing_device_is_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match=r"mine_negatives\.devices: there is no cuda:99 here"):
        load_embedder(folder, settings(devices=["cpu", "cuda:99"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": ["gpu"]}, "'gpu' is no device"),
        ({"devices": ["auto", "cpu"]}, "auto stands alone"),
        ({"devices": []}, "devices"),
        ({"truncate_dim": 0}, "expected none or a number above 0"),
        ({"max_length": "all"}, "max_length"),
    ],
)
def test_wrong_params_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(**changes)
