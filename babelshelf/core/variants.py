"""The training-set variants: their order, the stage that makes each, and which one it is made from.

`original` -> `translated` -> `negatives` -> `filtered` is a chain. Each stage reads the earlier variant that the task's
recipe in params.yaml names, so a recipe can leave steps out and there is no cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

Variant = Literal["original", "translated", "negatives", "filtered"]
BeforeFilter = Literal["original", "translated", "negatives"]
BeforeNegatives = Literal["original", "translated"]

# The recipe's training set with the rows of dev and test, for the last fit before a submission: no recipe may name it.
FINAL = "final"
FILTERED = "filtered"

VARIANTS: tuple[str, ...] = get_args(Variant)
STAGES = {"translated": "translate", "negatives": "mine_negatives", "filtered": "filter"}  # `original`: prepare


def chain(recipe: Mapping[str, Any]) -> list[str]:
    """The variants that a recipe makes, from `original` to the one that the final model is trained on.

    Args:
        recipe: a task's `train_on`, `filter_on` and `negatives_on`, as in `tasks.<task>` of params.yaml.
    """
    parents = {"filtered": recipe["filter_on"], "negatives": recipe["negatives_on"], "translated": "original"}
    variants = [recipe["train_on"]]
    while variants[0] in parents:
        variants.insert(0, parents[variants[0]])
    return variants


def methods(recipe: Mapping[str, Any]) -> set[str]:
    """The stages that train the models which a recipe scores with: `sft`, `dpo`, `classifier`, `distill`.

    Args:
        recipe: as for `chain`, and its `method`, `filter_method` and `teacher`.
    """
    filters = {recipe["filter_method"]} if "filtered" in chain(recipe) else set()
    teachers = {recipe["teacher"]} if recipe["method"] == "distill" else set()
    return {recipe["method"], *filters, *teachers}


def trains_lm(recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe, as for `methods`, trains an LM."""
    return not methods(recipe).isdisjoint({"sft", "dpo"})
