"""A cross-encoder: a small multilingual encoder that reads query and candidate together; of the hub, or a folder.

sentence-transformers' CrossEncoderTrainer trains it by binary cross-entropy on the targets, or by margin-MSE on the
differences of their logits (`babelshelf.distill.margins`). The model's folder is that of
`CrossEncoder.save_pretrained`, with our record beside it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, Field

from babelshelf.core.errors import InputError, first_line
from babelshelf.core.files import write_json
from babelshelf.distill.margins import margins, rows_alone
from babelshelf.llm import base_model
from babelshelf.llm.params import HUB_ID, NANO, NEWEST, Precision, SourceParams, is_folder
from babelshelf.llm.versions import write_versions
from babelshelf.score.cross_encoder_scorer import RECORD

if TYPE_CHECKING:
    from babelshelf.distill.params import DistillParams
    from babelshelf.distill.student_inputs import StudentInputs
    from babelshelf.distill.teaching import Lessons

SECTION = """
model: intfloat/multilingual-e5-small # a hub id, or a folder: /its/path, ./its/path, ~/its/path
revision: none # of a hub model: a commit, 40 hex digits; none takes what its main branch has on that day
loss: bce # on p(yes); or margin_mse, on differences of logits between candidates of a query: it ranks these alone
max_length: 128 # tokens of query and candidate together; the longer of the two is shortened
epochs: 2
batch_size: 32
learning_rate: 0.00005
warmup_share: 0.1
weight_decay: 0.01
precision: auto # bf16 (by autocast) where the GPU or CPU computes in it, else fp32; or bf16, fp32
"""
# Files of a tokenizer, of which one is enough; transformers makes up a tokenizer without any words if there is none.
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "vocab.txt", "vocab.json")
PACKAGES = ("torch", "transformers", "tokenizers", "sentence-transformers")
LOGGED_POINTS = 60
CHECKPOINTS = 6  # of a run: what a kill loses is at most this part of it


Loss = Literal["bce", "margin_mse"]


def _encoder(model: str) -> str:
    if model == NANO or not (is_folder(model) or HUB_ID.fullmatch(model)):
        raise ValueError(
            "expected a hub id such as intfloat/multilingual-e5-small, or a folder that begins with /, ./, ../ or ~"
        )
    return model


class Params(SourceParams):
    """The encoder, and its training."""

    model: Annotated[str, AfterValidator(_encoder)]
    loss: Loss
    max_length: int = Field(ge=8)  # tokens of a pair
    epochs: float = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup_share: float = Field(ge=0, le=1)
    weight_decay: float = Field(ge=0)
    precision: Precision


def check(rows: pl.DataFrame, settings: DistillParams) -> None:
    """See `babelshelf.distill.students`.

    Raises:
        InputError: margins are to be learned, and no query has two rows.
    """
    if settings.own(Params).loss == "margin_mse" and rows_alone(rows) == rows.height:
        raise InputError(
            "distill.cross_encoder.loss: margin_mse compares candidates of a query, and no query has two: choose bce, "
            "or add unlabelled pairs by distill.queries_per_language and distill.pairs_per_query"
        )


def train(lessons: Lessons, inputs: StudentInputs, folder: Path) -> dict[str, Any]:
    """Train it on the targets. See `babelshelf.distill.students`.

    Raises:
        InputError: the encoder can't be had, or is no encoder with a tokenizer.
    """
    settings = inputs.settings.own(Params)
    pointer = _pointer(settings)
    encoder = _folder(pointer)
    counts = fine_tune(lessons, settings, encoder, seed=inputs.seed, checkpoints=inputs.checkpoints, folder=folder)
    write_json(folder / RECORD, {**inputs.record, "encoder": pointer, "max_length": settings.max_length})
    write_versions(folder, PACKAGES)
    return counts


def fine_tune(
    lessons: Lessons, settings: Params, encoder: Path, *, seed: int, checkpoints: Path, folder: Path
) -> dict[str, Any]:
    """Train a cross-encoder and save it.

    Args:
        lessons: rows and targets.
        settings: its params.
        encoder: folder of the pre-trained encoder.
        seed: of the head's first weights, the dropout and the order of the rows.
        checkpoints: folder of this very training's checkpoints: a run that was killed goes on from the last one.
        folder: where to save.

    Returns:
        Metrics: number of optimizer steps and of weights, the mean loss since the last logged point and, of margin-MSE,
        the number of margins and of rows without one.
    """
    from datasets import Dataset  # noqa: PLC0415 - slow to import
    from sentence_transformers.cross_encoder import (  # noqa: PLC0415
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
    )
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss, MarginMSELoss  # noqa: PLC0415
    from transformers import set_seed  # noqa: PLC0415

    from babelshelf.trainer.training import run  # noqa: PLC0415

    set_seed(seed)  # before the head gets its first weights
    model = _load(encoder, settings)
    by_margins = settings.loss == "margin_mse"
    examples = _margin_examples(lessons, seed) if by_margins else _examples(lessons)
    arguments = CrossEncoderTrainingArguments(**_arguments(settings, examples.height, seed, checkpoints))
    arguments._n_gpu = min(arguments.n_gpu, 1)  # DataParallel, over all GPUs, would take so many times the batch
    trainer = CrossEncoderTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(examples.to_dict(as_series=False)),
        loss=MarginMSELoss(model) if by_margins else BinaryCrossEntropyLoss(model),
    )
    result = run(trainer, {"loss": "loss"})
    model.save_pretrained(str(folder), create_model_card=False)
    return {
        "steps": trainer.state.global_step,
        "weights": sum(weight.numel() for weight in model.parameters()),
        "loss": result.curve[-1]["loss"] if result.curve else None,
        **({"margins": examples.height, "rows_without_margin": rows_alone(lessons.rows)} if by_margins else {}),
    }


def _examples(lessons: Lessons) -> pl.DataFrame:
    """Columns in the order that the loss takes them, then `label`."""
    return lessons.rows.select("query", "candidate", label=pl.Series(lessons.targets, dtype=pl.Float64))


def _margin_examples(lessons: Lessons, seed: int) -> pl.DataFrame:
    """Likewise, with two candidates; `label` is the margin."""
    return margins(lessons.rows, lessons.targets, seed).rename({"margin": "label"})


def _pointer(settings: Params) -> dict[str, Any]:
    """Which encoder it is, as `models/base` says it of a base model; a hub model is downloaded."""
    if is_folder(settings.model):
        return base_model.to_folder(settings.model)
    pointer = base_model.to_hub(settings.model, None if settings.revision == NEWEST else settings.revision)
    if settings.revision == NEWEST:
        from babelshelf.runtime.screen import echo  # noqa: PLC0415 - slow to import

        echo(f"{settings.model} is not pinned: set distill.cross_encoder.revision to {pointer['revision']}")
    return pointer


def _folder(pointer: dict[str, Any]) -> Path:
    if "folder" in pointer:
        return base_model.local_folder(pointer["folder"])
    return base_model.download(pointer["model"], pointer["revision"])


def _load(encoder: Path, settings: Params) -> Any:  # noqa: ANN401 - sentence-transformers is not followed
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 - slow to import

    if not any((encoder / name).is_file() for name in TOKENIZERS):
        raise InputError(f"distill.cross_encoder.model: {settings.model} has no tokenizer ({', '.join(TOKENIZERS)})")
    try:
        return CrossEncoder(str(encoder), num_labels=1, max_length=settings.max_length, local_files_only=True)
    except (ValueError, OSError) as error:
        raise InputError(
            f"distill.cross_encoder.model: {settings.model} can't be trained as a cross-encoder: {first_line(error)}"
        ) from error


def _arguments(settings: Params, rows: int, seed: int, checkpoints: Path) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - slow to import

    steps = math.ceil(math.ceil(rows / settings.batch_size) * settings.epochs)
    return {
        "output_dir": str(checkpoints),
        "per_device_train_batch_size": settings.batch_size,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "warmup_steps": round(steps * settings.warmup_share),
        "weight_decay": settings.weight_decay,
        "bf16": settings.precision == "bf16",
        "use_cpu": not torch.cuda.is_available(),
        "logging_steps": max(1, steps // LOGGED_POINTS),
        "save_steps": max(1, math.ceil(steps / CHECKPOINTS)),
        "save_total_limit": 1,
        "seed": seed,
        "data_seed": seed,
        "report_to": "none",
        "disable_tqdm": True,  # `trainer.training.ProgressBar` shows the progress
    }
