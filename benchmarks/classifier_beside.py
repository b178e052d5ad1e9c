"""Training and scoring of the classifier beside a CrossEncoder and the built-in LM, on the same pairs, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.classifier_beside --pairs pairs.csv

`--pairs` is a CSV file as in `benchmarks.classifier`. The CrossEncoder is that of sentence-transformers, with the shape
of multilingual-e5-small and random weights, which serve for time: CrossEncoderTrainer trains it for one epoch in
batches of 32, and it scores in batches of 32. The built-in LM has its usual shape and random weights, is trained as by
the stage `sft` for one epoch, and scores as by the stage `score`. Their tokenizer has 8,192 tokens and is trained on
the pairs. Each way gets as many of the first pairs of train as take it some seconds. The classifier's time includes
embedding all texts, all folds and all penalties; `cached` is without embedding. Seconds are CPU time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import polars as pl
import torch
from datasets import Dataset
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from babelshelf.base_model.nano_lm import train_tokenizer
from babelshelf.base_model.params import BaseModelParams
from babelshelf.classifier.features import training_features
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit_with_folds
from babelshelf.core.params import load
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.llm.prompts import load_template
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import load_scorer
from benchmarks.scoring_speed import cross_encoder, load_cross_encoder, ours, save_models
from benchmarks.training_speed import random_model, trained_by_sft

E5_SMALL = {  # the shape of intfloat/multilingual-e5-small
    "vocab_size": 250_037,
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "num_labels": 1,
}
BATCH = 32


@click.command(help=__doc__)
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--cross-encoder-pairs", default=256)
@click.option("--lm-pairs", default=4096)
@click.option("--classifier-pairs", default=9000)
def main(*, pairs: Path, cross_encoder_pairs: int, lm_pairs: int, classifier_pairs: int) -> None:
    rows = pl.read_csv(pairs).filter(pl.col("split") == "train").with_columns(task=pl.lit("qc"))
    rows = rows.with_row_index("id").with_columns(pl.col("id").cast(pl.String))
    template = load_template(Path("prompts/short/qc.txt"))
    tokenizer = train_tokenizer((template.render(row) + template.yes for row in rows.to_dicts()), 8192)
    lengths = [len(ids) for ids in tokenizer(rows["query"].to_list(), rows["candidate"].to_list())["input_ids"]]
    click.echo(f"{sum(lengths) / len(lengths):.1f} tokens a pair, {torch.get_num_threads()} thread(s)\n")
    click.echo("| way | pairs | training, s | pairs/s | scoring, s | pairs/s |\n| :-- | --: | --: | --: | --: | --: |")
    for way, count, (trained, scored) in [
        ("CrossEncoder", cross_encoder_pairs, _cross_encoder(rows.head(cross_encoder_pairs), tokenizer)),
        ("built-in LM", lm_pairs, _built_in_lm(rows.head(lm_pairs), tokenizer)),
        *(
            (name, classifier_pairs, taken)
            for name, taken in zip(
                ("classifier", "classifier, cached"), _classifier(rows.head(classifier_pairs)), strict=True
            )
        ),
    ]:
        click.echo(
            f"| {way} | {count:,} | {trained:.1f} | {count / trained:,.0f} | {scored:.1f} | {count / scored:,.0f} |"
        )


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _cross_encoder(rows: pl.DataFrame, tokenizer: PreTrainedTokenizerFast) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(1)
        BertForSequenceClassification(BertConfig(**E5_SMALL)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        model = CrossEncoder(folder, num_labels=1, device="cpu")
        examples = Dataset.from_list(
            [
                {"query": row["query"], "candidate": row["candidate"], "label": float(row["label"])}
                for row in rows.to_dicts()
            ]
        )
        fixed = {"num_train_epochs": 1, "report_to": "none", "save_strategy": "no", "use_cpu": True}
        settings = CrossEncoderTrainingArguments(
            output_dir=f"{folder}/run", per_device_train_batch_size=BATCH, disable_tqdm=True, **fixed
        )
        trainer = CrossEncoderTrainer(
            model=model, args=settings, train_dataset=examples, loss=BinaryCrossEntropyLoss(model)
        )
        trained = _seconds(trainer.train)
        score = cross_encoder(load_cross_encoder(Path(folder), "sdpa", "fp32"), BATCH)
        return trained, _seconds(lambda: score(rows))


def _built_in_lm(rows: pl.DataFrame, tokenizer: PreTrainedTokenizerFast) -> tuple[float, float]:
    template = load_template(Path("prompts/short/qc.txt"))
    trained = trained_by_sft(random_model("nano", tokenizer), tokenizer, rows, template, "nano")
    with tempfile.TemporaryDirectory() as folder:
        models = save_models(Path(folder), rows, template, load(BaseModelParams, "base_model").lm.nano)
        with load_scorer(models.base, models.scored, load(ScoreParams, "score")) as scorer:
            return trained, _seconds(lambda: ours(scorer)(rows))


def _classifier(rows: pl.DataFrame) -> Iterator[tuple[float, float]]:
    """With embedding, then with the vectors in the cache."""
    settings, encoder = load(ClassifierParams, "classifier"), load_builtin("use_multilingual")
    encoder.encode(["the weights are read before"])
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        for _ in ("embedded", "cached"):
            began = time.process_time()
            features = training_features(rows, encoder, Path(first))
            classifier = fit_with_folds(Examples(features, rows["label"], rows["query"]), settings, 1).classifier
            trained = time.process_time() - began
            began = time.process_time()
            classifier.predict(training_features(rows, encoder, Path(second)))
            yield trained, time.process_time() - began


if __name__ == "__main__":
    main()
