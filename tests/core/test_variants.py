"""The chain of variants is that of dvc.yaml, and a recipe may leave steps out."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from babelshelf.core.variants import FINAL, STAGES, VARIANTS, chain


@pytest.mark.parametrize(
    ("train_on", "filter_on", "negatives_on", "expected"),
    [
        ("original", "negatives", "translated", ["original"]),
        ("negatives", "translated", "original", ["original", "negatives"]),
        ("filtered", "translated", "original", ["original", "translated", "filtered"]),
        ("filtered", "negatives", "translated", list(VARIANTS)),
    ],
)
def test_a_recipe_names_its_variants(train_on: str, filter_on: str, negatives_on: str, expected: list[str]) -> None:
    assert chain({"train_on": train_on, "filter_on": filter_on, "negatives_on": negatives_on}) == expected


def test_dvc_yaml_has_the_variants_and_their_stages(root: Path) -> None:
    stages = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    assert [stages[method]["matrix"]["variant"] for method in ("sft", "dpo", "classifier")] == [[*VARIANTS, FINAL]] * 3
    outputs = {variant: stages[stage]["do"]["outs"] for variant, stage in STAGES.items()}
    assert outputs == {variant: [f"data/{variant}/${{key}}"] for variant in STAGES}
