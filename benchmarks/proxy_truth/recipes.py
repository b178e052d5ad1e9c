"""The recipes: training sets that differ by more than noise, made by the functions of the stages.

All start with the same rows. Negatives are half as many as the positives, in each language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.classifier.features import training_features
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit_with_folds
from babelshelf.core.params import load, read, section
from babelshelf.core.rows import concat
from babelshelf.core.work_cache import WorkCache
from babelshelf.encoder.encoder import Encoder
from babelshelf.encoder.vector_cache import cached_vectors
from babelshelf.filter.params import FilterParams
from babelshelf.filter.self_validation import filter_rows
from babelshelf.mine_negatives.mining import mine
from babelshelf.mine_negatives.params import MineNegativesParams
from babelshelf.tables.truth import no_truth
from babelshelf.translate.backends import lexicon
from babelshelf.translate.params import TranslateParams
from babelshelf.translate.translation import translate_rows
from benchmarks.proxy_truth.data_sets import NONE, TASK, DataSet

FLIPPED = 0.2  # of the labels
TRANSLATED_ROWS = 250  # a language
NEAR, USUAL = (0, 20), (20, 50)  # windows of ranks from 0; FAR begins at this share of the candidates
FAR = 0.8
CONFIDENCE, CONFIDENT_LEARNING = "confidence", "confident_learning"  # rules of the filter
SEED_TEXT = b"recipes"


@dataclass(frozen=True)
class RecipeInputs:
    """What the recipes are made with.

    Attributes:
        data: the data set.
        encoder: ranks candidates, and is the one of the classifier that filters.
        work: folder of caches and of the glossary.
        seed: of all that is drawn.
    """

    data: DataSet
    encoder: Encoder
    work: Path
    seed: int

    @property
    def random(self) -> np.random.Generator:
        """A fresh generator of this seed."""
        return np.random.default_rng([self.seed, *SEED_TEXT])


Recipe = Callable[[RecipeInputs], pl.DataFrame]


def half(inputs: RecipeInputs) -> pl.DataFrame:
    """Half of the labels: of the query groups, at random."""
    train = inputs.data.train
    groups = train["group"].unique().sort().to_numpy()
    kept = inputs.random.permutation(groups)[: len(groups) // 2]
    return train.filter(pl.col("group").is_in(kept.tolist()))


def flipped(inputs: RecipeInputs) -> pl.DataFrame:
    """A fifth of the labels turned around, at random."""
    train = inputs.data.train
    wrong = inputs.random.permutation(train.height) < round(FLIPPED * train.height)
    return train.with_columns(label=pl.when(pl.Series(wrong)).then(1 - pl.col("label")).otherwise("label"))


def translated(inputs: RecipeInputs) -> pl.DataFrame:
    """With queries translated by the data set's glossary."""
    data = inputs.data
    values = read(Path("params.yaml"))
    values["translate"] |= {"languages": data.translated, "sources": data.train["language"].unique().sort().to_list()}
    values["tasks"][TASK]["translate"] = {"rows_per_language": TRANSLATED_ROWS}
    settings = section(TranslateParams, values, "translate", TASK)
    glossary = inputs.work / "glossary.tsv"
    data.glossary.write_csv(glossary, separator="\t", quote_style="never")
    cache: WorkCache[str] = WorkCache(inputs.work / "translations")
    translator = lexicon.load(settings, glossary)
    return translate_rows(
        data.train, data.held_out, translator=translator, cache=cache, settings=settings, seed=inputs.seed
    ).rows


def with_negatives(window: tuple[int, int], inputs: RecipeInputs, rows: pl.DataFrame | None = None) -> pl.DataFrame:
    """With negatives of a window of ranks, half as many as positives."""
    rows = inputs.data.train if rows is None else rows
    share = float(rows["label"].cast(pl.Float64).mean())  # type: ignore[arg-type]
    settings = load(MineNegativesParams, "mine_negatives", TASK).model_copy(
        update={"rank_window": window, "positive_share": share / (1 + share / 2)}
    )

    def embed(texts: list[str], prompt: str) -> np.ndarray:
        return cached_vectors(texts, inputs.encoder, inputs.work / "vectors", prompt)

    return concat(rows, mine(rows, inputs.data.candidates, embed, settings, inputs.seed).rows)


def far(inputs: RecipeInputs) -> pl.DataFrame:
    """With negatives of the farthest fifth of the candidates."""
    count = len(inputs.data.candidates)
    return with_negatives((int(FAR * count), count), inputs)


def with_usual_negatives(inputs: RecipeInputs) -> pl.DataFrame:
    """Translations where there is a glossary, then negatives of the paper's window."""
    return with_negatives(USUAL, inputs, translated(inputs) if inputs.data.glossary is not None else None)


def filtered(rule: str, inputs: RecipeInputs, rows: pl.DataFrame | None = None) -> pl.DataFrame:
    """Without what a rule of the filter takes for wrong labels, by the classifier's out-of-fold scores."""
    rows = inputs.data.train if rows is None else rows
    features = training_features(rows, inputs.encoder, inputs.work / "vectors")
    examples = Examples(features, rows["label"], rows["group"])
    p_yes = fit_with_folds(examples, load(ClassifierParams, "classifier", TASK), inputs.seed).out_of_fold
    scores = rows.select("id", p_yes=pl.Series(p_yes))
    values = read(Path("params.yaml"))
    values["tasks"][TASK]["filter"]["rule"] = rule
    return filter_rows(rows, scores, no_truth(), section(FilterParams, values, "filter", TASK)).kept


def flipped_and_filtered(rule: str, inputs: RecipeInputs) -> pl.DataFrame:
    """A fifth of the labels turned around, then without what a rule takes for wrong labels."""
    return filtered(rule, inputs, flipped(inputs))


def all_steps(inputs: RecipeInputs) -> pl.DataFrame:
    """Translations, negatives, and the filter."""
    return filtered(CONFIDENCE, inputs, with_usual_negatives(inputs))


RECIPES: dict[str, Recipe] = {
    NONE: lambda inputs: inputs.data.train,
    "filtered": partial(filtered, CONFIDENCE),
    "flipped": flipped,
    "flipped-filtered": partial(flipped_and_filtered, CONFIDENCE),
    "flipped-confident": partial(flipped_and_filtered, CONFIDENT_LEARNING),
    "half": half,
    "near": partial(with_negatives, NEAR),
    "far": far,
    "all": all_steps,
    "negatives": with_usual_negatives,
    "translated": translated,
}


def recipes(data: DataSet) -> dict[str, Recipe]:
    """Those that the data set allows: without a glossary nothing is translated."""
    return {name: recipe for name, recipe in RECIPES.items() if name != "translated" or data.glossary is not None}
