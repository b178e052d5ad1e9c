"""Reports of a running training to an experiment tracker, by transformers' own callbacks: the param `report_to`.

A report changes no output, so `report_to` is no dep in dvc.yaml: another tracker trains no model again. What a tracker
writes is in the folder `tracking` of the repository's root, which git ignores.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import DVCLiveCallback, get_reporting_integration_callbacks

from babelshelf.core.files import repository_root
from babelshelf.trainer import distributed

PROJECT = "babelshelf"  # at the trackers that group runs


@dataclass(frozen=True)
class Tracking:
    """Where a training reports.

    Attributes:
        tracker: the param `report_to`.
        run: name of the run, such as `sft/negatives/qc`.
    """

    tracker: str
    run: str

    @classmethod
    def of(cls, tracker: str, model: Path) -> Tracking:
        """Of the training of a model: its folder names the run, after the DVC experiment that it is in, if any."""
        return cls(tracker, "/".join([*filter(None, [os.environ.get("DVC_EXP_NAME")]), *model.parts[-3:]]))

    @property
    def folder(self) -> Path:
        """Of the files of the tracker."""
        return repository_root().absolute() / "tracking" / self.tracker

    def callbacks(self) -> list[TrainerCallback]:
        """For the trainer; of several processes only the main one has any."""
        if self.tracker == "none" or not distributed.is_main():
            return []
        if self.tracker == "dvclive":
            return [_live(self.folder / self.run)]
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, value in self._environment().items():
            os.environ.setdefault(name, value)
        return [callback() for callback in get_reporting_integration_callbacks(self.tracker)]

    def _environment(self) -> dict[str, str]:
        """The variables by which transformers' callbacks and the trackers are told where to write; the user's stay."""
        return {
            "TENSORBOARD_LOGGING_DIR": str(self.folder / self.run),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "MLFLOW_EXPERIMENT_NAME": PROJECT,
            "WANDB_PROJECT": PROJECT,
            "WANDB_DIR": str(self.folder),
        }


class GradientStepCallback(DVCLiveCallback):  # type: ignore[misc]  # transformers is not followed
    """DVCLive's steps are gradient steps, not numbers of reports; a resumed run has those before its checkpoint."""

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401 - the base class's signature
    ) -> None:
        """Report what the checkpoint has."""
        super().on_train_begin(args, state, control, **kwargs)
        for entry in state.log_history:
            logs = {key: value for key, value in entry.items() if key != "step"}
            self._report(entry["step"], args, state, control, logs=logs)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Report at the step of the trainer."""
        self._report(state.global_step, args, state, control, **kwargs)

    def _report(self, step: int, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self.live.step = step
        super().on_log(*args, **kwargs)


def _live(folder: Path) -> GradientStepCallback:
    """DVCLive that writes to `folder` alone: the pipeline's dvc.yaml and DVC's experiments are not its business."""
    from dvclive import Live  # noqa: PLC0415 - an extra

    return GradientStepCallback(Live(str(folder), save_dvc_exp=False, dvcyaml=False))
