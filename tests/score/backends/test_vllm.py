"""vLLM's p(yes) is that of transformers, row by row, on the real engine: `make test-vllm`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen3ForCausalLM

from babelshelf.core.errors import InputError
from babelshelf.core.rows import read_table, write_rows
from babelshelf.score import vllm_serving
from babelshelf.score.backends import vllm
from babelshelf.score.scorer import load_scorer, score_pairs
from babelshelf.trainer.models import save
from tests.helpers import tiny_lm
from tests.helpers.workspace import Workspace, copy_sources
from tests.runtime.test_child_process import assert_none_outlives

MAX_LENGTH = 64
QUERIES = [
    f"{first} {second}"
    for first in ("cheap", "red", "42", "for my mother", "größe 38", "赤い")
    for second in ("shoes", "pan", "gift", "running trail")
]
CANDIDATES = (
    *tiny_lm.SHOES,
    *tiny_lm.PANS,
    "Zapatos",
    "鍋 28 cm",
    "Trail running shoe, waterproof, size 42, black and red",
)
ROWS = tiny_lm.rows(QUERIES, CANDIDATES)
TOLERANCE = {"fp32": 0.001, "bf16": 0.02}
Check = Callable[[np.ndarray, str], None]


def tamed() -> Qwen3ForCausalLM:
    """Random weights, small enough that p(yes) is not at 0 or 1 but all over between them."""
    model = tiny_lm.model(seed=2, settings=tiny_lm.WIDE)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(0.6)
    return model


def adapted(base: Path, adapter: Path) -> None:
    """A base model, and an adapter of rank 4 with random weights that moves most answers."""
    tiny_lm.save_base(base, tiny_lm.WIDE)
    tamed().save_pretrained(base)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=16, target_modules="all-linear")
    model = get_peft_model(tamed(), config)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.05)
    save(model, adapter, {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base model and an adapter."""
    root = tmp_path_factory.mktemp("models")
    adapted(root / "base", root / "adapter")
    return root / "base", root / "adapter"


def by_transformers(models: tuple[Path, Path], precision: str) -> np.ndarray:
    with load_scorer(*models, tiny_lm.score_params(precision=precision)) as scorer:
        scores = tiny_lm.p_yes(scorer, ROWS)
    assert np.quantile(scores, 0.95) - np.quantile(scores, 0.05) > 0.5  # or any order of the rows would do
    return scores


@pytest.fixture
def assert_agrees(models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> Check:
    """Compares scores with those of transformers, and prints the greatest difference."""

    def check(scores: np.ndarray, precision: str) -> None:
        found = float(np.abs(scores - by_transformers(models, precision)).max())
        with capsys.disabled():
            print(f"\n{precision}: the greatest difference of p(yes) in {len(scores)} rows is {found:.1e}")
        assert found <= TOLERANCE[precision]

    return check


# --- without the engine ---


def test_too_few_gpus_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,3")
    assert list(vllm.gpus_by_engine(1, 2)) == [("0", "1")]
    assert list(vllm.gpus_by_engine(3, 1)) == [("0",), ("1",), ("3",)]
    with pytest.raises(InputError, match=r"needs 4 GPUs.*there are 3"):
        vllm.gpus_by_engine(2, 2)


ENGINES = """
import sys, time
import polars as pl
from babelshelf.score.backends.vllm import Serving, started_engines

if __name__ == "__main__":
    serving = Serving(sys.argv[1], None, 1, (1, 2), 16, "float32", 1, 0.1, True)
    with started_engines(serving, int(sys.argv[2])) as engines:
        scores = engines.p_yes(pl.Series([[3, 4], [5, 6]]))
        time.sleep(3)  # guards look twice a second
        print(scores.shape, flush=True)
        time.sleep(600)
"""

STAND_IN = """
import subprocess, sys, types

class LLM:
    def __init__(self, **_):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # as the engine's core is

    def generate(self, prompts, *_, **__):
        both = {1: types.SimpleNamespace(logprob=-1.0), 2: types.SimpleNamespace(logprob=-2.0)}
        return [types.SimpleNamespace(outputs=[types.SimpleNamespace(logprobs=[both])]) for _ in prompts]

class SamplingParams:
    def __init__(self, **_):
        pass

LoRARequest = None
for name in ("vllm.lora", "vllm.lora.request"):
    sys.modules[name] = sys.modules["vllm"]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("replicas", "processes"), [(1, 2), (2, 6)])
def test_no_engine_outlives_kill_minus_nine(tmp_path: Path, replicas: int, processes: int) -> None:
    (tmp_path / "vllm.py").write_text(STAND_IN, encoding="utf-8")
    assert_none_outlives(ENGINES, "none", replicas, at_least=processes, path=tmp_path)


# --- with it ---


@pytest.fixture(scope="session")
def engine(models: tuple[Path, Path]) -> Iterator[vllm_serving.VllmScorer]:
    """The base model and the adapter, in fp32, as most tests need them."""
    with load_scorer(*models, tiny_lm.score_params("vllm", precision="fp32")) as scorer:
        yield scorer


@pytest.mark.ci
@pytest.mark.vllm
def test_fp32_agrees_with_transformers(engine: vllm_serving.VllmScorer, assert_agrees: Check, tmp_path: Path) -> None:
    assert_agrees(score_pairs(ROWS, engine, tmp_path), "fp32")


@pytest.mark.vllm
def test_the_adapter_is_served(engine: vllm_serving.VllmScorer, models: tuple[Path, Path], tmp_path: Path) -> None:
    """The agreement says nothing where the adapter changes nothing."""
    save(tamed(), tmp_path / "plain", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    plain = tiny_lm.scored(models[0], tmp_path / "plain", tiny_lm.score_params(), ROWS)
    assert np.abs(plain - tiny_lm.p_yes(engine, ROWS)).mean() > 0.1


@pytest.mark.vllm
def test_no_rows_give_no_scores(engine: vllm_serving.VllmScorer, tmp_path: Path) -> None:
    assert score_pairs(ROWS.clear(), engine, tmp_path).shape == (0,)


@pytest.mark.vllm
def test_a_candidate_that_is_shortened_fits(engine: vllm_serving.VllmScorer, models: tuple[Path, Path]) -> None:
    long = ROWS.head(4).with_columns(candidate=pl.lit("漢" * 300))
    with load_scorer(*models, tiny_lm.score_params(precision="fp32")) as scorer:
        np.testing.assert_allclose(
            tiny_lm.p_yes(engine, long), tiny_lm.p_yes(scorer, long), rtol=0, atol=TOLERANCE["fp32"]
        )


@pytest.mark.vllm
def test_bf16_agrees_with_transformers(models: tuple[Path, Path], assert_agrees: Check) -> None:
    assert_agrees(tiny_lm.scored(*models, tiny_lm.score_params("vllm", precision="bf16"), ROWS), "bf16")


@pytest.mark.vllm
def test_engines_in_processes_of_their_own_agree(
    models: tuple[Path, Path], assert_agrees: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    two = tiny_lm.score_params("vllm", precision="fp32", data_parallel=2)
    assert_agrees(tiny_lm.scored(*models, two, ROWS), "fp32")


@pytest.mark.vllm
@pytest.mark.parametrize("replicas", [1, 2])
def test_no_real_engine_outlives_kill_minus_nine(
    models: tuple[Path, Path], replicas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    assert_none_outlives(ENGINES, models[0], replicas, at_least=2 * replicas)


@pytest.mark.vllm
def test_the_stage_scores_with_merged_weights_and_removes_them(
    models: tuple[Path, Path], assert_agrees: Check, root: Path, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "workspace", tmp_path / "dvc")
    copy_sources(root, workspace.folder)
    engine = "{adapter: merged, precision: fp32, gpu_memory_utilization: 0.1, enforce_eager: true}"
    workspace.set_params(f"score: {{backend: vllm, vllm: {engine}}}")
    write_rows(tmp_path / "dev.parquet", ROWS)
    write_rows(tmp_path / "test.parquet", ROWS.reverse())
    inputs = ("--dev", str(tmp_path / "dev.parquet"), "--test", str(tmp_path / "test.parquet"))
    folders = ("--trained-on", str(tmp_path), "--base", str(models[0]), "--model", str(models[1]))
    folders += ("--out", str(tmp_path / "out"))
    code, output = workspace.run(sys.executable, "-m", "stages.score", "qi", *inputs, *folders)
    assert code == 0, output
    dev, test = (read_table(tmp_path / "out" / f"{name}.parquet")["p_yes"].to_numpy() for name in ("dev", "test"))
    assert_agrees(dev, "fp32")
    assert_agrees(test[::-1], "fp32")
    assert not list((workspace.folder / ".cache" / "merged").iterdir())
