"""What to expect of a user's rows before anything is trained: sizes, the smallest gain they can show, profile, time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl

from babelshelf.core.rows import SPLITS
from babelshelf.preflight.machine import Machine

MOST_LANGUAGES = 30  # lines of the table
MOST_GROUPS = 4000  # that the simulation draws; with more, its standard error is scaled by the root of their number
SIMULATIONS, RESAMPLES = 20, 100
RIGHT, DIFFERENT = 0.85, 0.10  # share of rows that a model answers right, and that two models answer differently
Z_INTERVAL, Z_POWER = 1.96, 0.84  # 95 % interval, power of 80 %
GIB = 1 << 30
SMALL_GPU, PAPER_GPU = 12 * GIB, 80 * GIB  # memory, of all GPUs together
SMALL_PARAMETERS = 0.6e9  # of the LM in profiles/small.yaml
TOKENS_PER_ROW, TOKENS_PER_TEXT = 32, 64  # of a prompt; of a text of the pre-training with its questions
TIMED_ROWS, TIMED_SECONDS = 64, 0.3
FLOPS_PER_TOKEN = 6  # per parameter, forward and backward (Kaplan et al., arXiv:2001.08361, section 2.1)
PASSES = 3.0  # of a row: training, and scoring of train, dev and test


def expectations(settled: pl.DataFrame, params: Mapping[str, Any], machine: Machine | None = None) -> list[str]:
    """Lines that say what to expect.

    Args:
        settled: the rows of all tasks with `task`, `language`, `split`, `label`, `key` and `candidate`, without those
            that are left out.
        params: all of params.yaml.
        machine: this one by default.
    """
    lines = ["", "What to expect:"]
    for task in settled["task"].unique(maintain_order=True):
        lines += _of_task(str(task), settled.filter(task=task))
    rows = settled.filter(split="train").height
    return [*lines, *_profile(params, machine or Machine(), rows)]


def _of_task(task: str, rows: pl.DataFrame) -> list[str]:
    counts = rows.group_by("language").agg(
        pl.len().alias("rows"), *((pl.col("split") == split).sum().alias(split) for split in SPLITS)
    )
    counts = counts.sort("rows", "language", descending=[True, False])
    lines = [f"  {task}: rows by language  {'train':>9} {'dev':>7} {'test':>7}"]
    for language, _, *splits in counts.head(MOST_LANGUAGES).iter_rows():
        train, dev, test = splits
        lines.append(f"      {language:<18} {train:>9,} {dev:>7,} {test:>7,}")
    if counts.height > MOST_LANGUAGES:
        lines.append(f"      and {counts.height - MOST_LANGUAGES} more languages")
    without = counts.filter(pl.col("train") == 0)["language"].to_list()
    if without:
        lines.append(f"    without labels in train: {', '.join(without)}: translation is for them")
    test = rows.filter(split="test")
    gain = smallest_gain(test)
    return [
        *lines,
        f"    {float(rows['label'].mean()):.0%} relevant, {rows['candidate'].n_unique():,} candidates",  # type: ignore[arg-type]
        f"    smallest gain that the test rows can show: about {gain:.1f} points of F1 "
        f"({test.height:,} rows, {test['key'].n_unique():,} query groups)",
    ]


def smallest_gain(test: pl.DataFrame, seed: int = 0) -> float:
    """The smallest true gain in F1 that a paired bootstrap over query groups shows with a power of 80 %.

    Two models of equal quality are simulated on the rows' own labels and groups: each answers 85 % of the rows right,
    and they differ on 10 % of them. The standard error of the difference of their F1 is that of a bootstrap over
    groups, paired as in `evaluate.bootstrap`, averaged (by its variance) over simulations. The 95 % interval excludes
    zero with a power of 80 % from 1.96 + 0.84 standard errors on. Two models that differ on more rows need a larger
    gain: the standard error grows with the root of that share.

    Args:
        test: rows with `label` and `key` (the query group).
        seed: of the simulation.

    Returns:
        Points of F1, from 0 to 100; NaN where there are no groups.
    """
    if not test.height:
        return float("nan")
    rng = np.random.default_rng(seed)
    group = test["key"].cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
    groups = int(group.max()) + 1
    chosen = np.isin(group, rng.permutation(groups)[:MOST_GROUPS])
    label = test["label"].to_numpy().astype(bool)[chosen]
    _, group = np.unique(group[chosen], return_inverse=True)
    drawn = int(group.max()) + 1
    variances = [_variance(label, group, drawn, rng) for _ in range(SIMULATIONS)]
    standard_error = float(np.sqrt(np.mean(variances) * drawn / groups))
    return 100 * (Z_INTERVAL + Z_POWER) * standard_error


def _variance(label: np.ndarray, group: np.ndarray, groups: int, rng: np.random.Generator) -> float:
    """Of the difference of F1 of two simulated models, over resampled groups."""
    right = rng.random(len(label)) < RIGHT
    differ = rng.random(len(label)) < DIFFERENT
    first = np.where(right, label, ~label)
    second = first.copy()
    # half of the differences each way, so that neither model is better
    wrong_first = differ & (rng.random(len(label)) < 0.5)
    first = np.where(differ, np.where(wrong_first, ~label, label), first)
    second = np.where(differ, np.where(wrong_first, label, ~label), second)
    weights = rng.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    scores = []
    for answer in (first, second):
        true = np.bincount(group, weights=answer & label, minlength=groups)
        false = np.bincount(group, weights=answer != label, minlength=groups)
        hits, misses = weights @ true, weights @ false
        scores.append(2 * hits / np.maximum(2 * hits + misses, 1))
    return float(np.var(scores[0] - scores[1], ddof=1))


def _profile(params: Mapping[str, Any], machine: Machine, rows: int) -> list[str]:
    """Which profile suits this machine, and how long training takes on it."""
    memory = sum(machine.gpus)
    suits = "paper" if memory >= PAPER_GPU else "small"
    has = f"{len(machine.gpus)} GPU with {memory / GIB:.0f} GiB" if machine.gpus else "no GPU"
    lines = []
    if params["base_model"]["lm"]["model"] == "nano":
        trained = sorted(task for task, values in params["tasks"].items() if values["method"] != "classifier")
        lines = [
            f"check: {', '.join(trained)}: the built-in LM knows no words but those of your own rows: F1 will hardly "
            'clear the all-"yes" baseline. Set tasks.<task>.method to classifier, whose encoder knows many languages, '
            f"or apply `babelshelf profile {suits}`, which has a pre-trained LM"
            if trained
            else "  the recipe trains a classifier on a multilingual encoder (tasks.<task>.method: classifier); "
            f"`babelshelf profile {suits}` fine-tunes a pre-trained LM (sft)"
        ]
    if not machine.gpus or memory < SMALL_GPU:
        suits = "small, on a GPU with 12 GiB or more; without one, the classifier"
    flops = measured_flops(int(params["threads"]))
    nano = _nano_seconds(params, rows)
    small = rows * TOKENS_PER_ROW * PASSES * FLOPS_PER_TOKEN * SMALL_PARAMETERS / flops
    return [
        *lines,
        f"  profile for this machine ({has}): {suits}",
        f"  time here of an LM, from a short measurement: about {duration(nano)} with the built-in one, "
        f"{duration(small)} with profile small on the CPU",
    ]


def measured_flops(threads: int) -> float:
    """Floating-point operations a second of matrix products in fp32 on the CPU, with so many threads."""
    import torch  # noqa: PLC0415 - slow to import

    left, right = torch.ones(512, 512), torch.ones(512, 512)
    with _threads(threads):
        return 2 * 512**3 * _rate(lambda: left @ right)


def measured_tokens(lm: Mapping[str, Any], threads: int) -> float:
    """Tokens a second that the built-in model is trained on, on the CPU, with so many threads.

    Args:
        lm: its sizes, `base_model.lm.nano`.
        threads: the param `threads`.
    """
    import torch  # noqa: PLC0415 - slow to import
    from transformers import Qwen3Config, Qwen3ForCausalLM  # noqa: PLC0415

    config = Qwen3Config(
        vocab_size=lm["vocab_size"],
        hidden_size=lm["hidden_size"],
        intermediate_size=lm["intermediate_size"],
        num_hidden_layers=lm["layers"],
        num_attention_heads=lm["heads"],
        num_key_value_heads=lm["heads"],
        head_dim=lm["hidden_size"] // lm["heads"],
    )
    model = Qwen3ForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters())
    ids = torch.arange(TIMED_ROWS * TOKENS_PER_ROW).reshape(TIMED_ROWS, -1) % lm["vocab_size"]

    def step() -> None:
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, -1]  # the answer's position
        model.lm_head(hidden).logsumexp(-1).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    with _threads(threads):
        return TIMED_ROWS * TOKENS_PER_ROW * _rate(step)


def _rate(work: Callable[[], object]) -> float:
    """How often a second some work is done, in `TIMED_SECONDS`; its first time does not count."""
    work()
    start, times = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < TIMED_SECONDS or not times:
        work()
        times += 1
    return times / elapsed


@contextmanager
def _threads(number: int) -> Iterator[None]:
    import torch  # noqa: PLC0415 - slow to import

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _nano_seconds(params: Mapping[str, Any], rows: int) -> float:
    """Seconds of training and scoring with the built-in model."""
    lm = params["base_model"]["lm"]["nano"]
    epochs = max(task["sft"]["epochs"] for task in params["tasks"].values())
    tokens = lm["texts"] * TOKENS_PER_TEXT + rows * TOKENS_PER_ROW * (epochs + 1)
    return float(tokens / measured_tokens(lm, int(params["threads"])))


def duration(seconds: float) -> str:
    """A duration, rounded to what an estimate is good for."""
    if seconds < 90:
        return f"{max(round(seconds / 10) * 10, 10)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600):,} h" if seconds < 72 * 3600 else f"{round(seconds / 86400):,} days"
