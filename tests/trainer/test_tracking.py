"""`report_to`: a tracker gets the points of the learning curve, in one process, and the model is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import PreTrainedModel

from babelshelf.core.files import read_json
from babelshelf.core.params import read
from babelshelf.llm.prompts import answer_ids, encode
from babelshelf.trainer import distributed, tracking
from babelshelf.trainer.batches import with_labels
from babelshelf.trainer.params import TRACKERS, tracker
from babelshelf.trainer.schedule import Schedule
from babelshelf.trainer.tracking import Tracking
from babelshelf.trainer.trainers import AnswerTrainer
from babelshelf.trainer.training import Training, TrainingResult
from tests.helpers import tiny_lm
from tests.helpers.profiles import NANO

TOKENIZER = tiny_lm.tokenizer()
MODEL = Path("models/sft/original/qi")
SCHEDULE = Schedule(
    batch_size=4,
    micro_batch_size=4,
    packing="none",
    learning_rate=0.003,
    embedding_learning_rate=0.006,
    epochs=2,
    warmup_share=0.1,
    weight_decay=0.01,
    precision="fp32",
    gradient_checkpointing=False,
    seed=1,
)


class KilledError(Exception):
    """A kill, in a test."""


class KilledTrainer(AnswerTrainer):
    """Dies in the eighth step, after the checkpoint of the sixth."""

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:  # noqa: ANN401 - the base class's
        if self.state.global_step == 7:
            raise KilledError
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        return loss


@dataclass(frozen=True)
class Trained:
    """A model and the result of its training."""

    model: PreTrainedModel
    result: TrainingResult

    def weights(self) -> dict[str, torch.Tensor]:
        """By name."""
        return dict(self.model.state_dict())


def train(tracker_name: str, checkpoints: Path, trainer_class: type[AnswerTrainer] = AnswerTrainer) -> Trained:
    """Train the tiny model on 16 rows: 8 steps, with a report of each and a checkpoint after every second."""
    rows = tiny_lm.rows().head(16)
    encoded = encode(rows, tiny_lm.TEMPLATE, TOKENIZER, 64)
    examples = with_labels(encoded.ids, rows["label"].to_list(), answer_ids(tiny_lm.TEMPLATE, TOKENIZER))
    model: PreTrainedModel = tiny_lm.model()
    reported = Tracking.of(tracker_name, MODEL)
    return Trained(model, Training(examples, SCHEDULE, checkpoints, trainer_class, reported).fit(model, TOKENIZER))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, and where DVCLive writes."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "BABELSHELF_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "tracking/dvclive/sft/original/qi"


def loss_points(folder: Path) -> list[tuple[int, float]]:
    """Step and loss of DVCLive's file."""
    table = pl.read_csv(folder / "plots/metrics/loss.tsv", separator="\t")
    return list(zip(table["step"].to_list(), table["loss"].to_list(), strict=True))


def test_dvclive_gets_the_learning_curve_at_its_gradient_steps_and_changes_no_weight(folder: Path) -> None:
    pytest.importorskip("dvclive")
    reported, silent = train("dvclive", Path("a")), train("none", Path("b"))
    curve = [(point["step"], pytest.approx(point["loss"])) for point in silent.result.curve]
    assert loss_points(folder) == curve
    assert len(curve) == 8
    assert read_json(folder / "metrics.json")["step"] == 8
    assert all(torch.equal(weight, reported.weights()[name]) for name, weight in silent.weights().items())
    assert reported.result.curve == silent.result.curve
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["a", "b", "tracking"]  # no dvc.yaml, no experiment


def test_after_a_kill_dvclive_has_each_point_once(folder: Path) -> None:
    pytest.importorskip("dvclive")
    with pytest.raises(KilledError):
        train("dvclive", Path("a"), KilledTrainer)
    assert [step for step, _ in loss_points(folder)] == [1, 2, 3, 4, 5, 6, 7]
    train("dvclive", Path("a"))
    assert [step for step, _ in loss_points(folder)] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["none", *TRACKERS])
def test_only_the_main_process_reports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_main", lambda: False)
    assert Tracking.of(name, MODEL).callbacks() == []
    assert not Path("tracking").exists()


def test_transformers_callback_is_told_where_to_write_unless_the_user_has_said_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[str] = []
    monkeypatch.setattr(tracking, "get_reporting_integration_callbacks", lambda name: [lambda: created.append(name)])
    monkeypatch.setenv("WANDB_PROJECT", "shop")
    for name in ("TENSORBOARD_LOGGING_DIR", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_DIR"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back after the test
        monkeypatch.delenv(name)
    environment = tracking.os.environ
    for name in set(TRACKERS) - {"dvclive"}:
        assert len(Tracking.of(name, MODEL).callbacks()) == 1
    assert set(created) == set(TRACKERS) - {"dvclive"}
    assert environment["WANDB_PROJECT"] == "shop"
    assert environment["MLFLOW_EXPERIMENT_NAME"] == "babelshelf"
    assert Path(environment["TENSORBOARD_LOGGING_DIR"]).is_relative_to(folder.parents[3])


def test_an_experiment_names_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "lower-rate")
    assert Tracking.of("wandb", MODEL).run == "lower-rate/sft/original/qi"


def test_every_tracker_is_one_of_transformers() -> None:
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK  # noqa: PLC0415

    assert set(TRACKERS) <= set(INTEGRATION_TO_CALLBACK)
    assert tracker(read(NANO)) == "none"
