"""Training sets in the formats of other tools, read back by `datasets` and by sentence-transformers' own checks."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from datasets import load_dataset
from huggingface_hub import DatasetCard

from babelshelf.commands.export.command import export
from babelshelf.commands.export.exported_pairs import ExportedPairs
from babelshelf.core.errors import InputError
from babelshelf.core.rows import write_rows, write_table
from babelshelf.llm.prompts import parse
from tests.helpers import tiny_lm

PROMPT = "{language}: {candidate} < {query} ? {answer}"


def pairs() -> pl.DataFrame:
    """Queries with both labels, one without a relevant candidate, one that repeats, and the same in two languages."""
    rows = [
        ("en", "shoes", "Running Shoes", 1),
        ("en", "shoes", "Pans", 0),
        ("en", "shoes", "Pots", 0),
        ("en", "shoes", "Pots", 0),
        ("de", "shoes", "Schuhe", 1),
        ("de", "shoes", "Pans", 0),
        ("en", "gift", "Mugs", 0),
        ("en", "mug", "Mugs", 1),
        ("en", "mug", "Cups", 1),
        ("en", "mug", "Cups", 0),
        ("en", "mug", "Pans", 0),
        ("en", "mug", "Lamps", None),
    ]
    table = pl.DataFrame(rows, schema=["language", "query", "candidate", "label"], orient="row")
    return table.select(
        id=pl.format("r{}", pl.int_range(pl.len())),
        task=pl.lit("qi"),
        language="language",
        query="query",
        candidate="candidate",
        label=pl.col("label").cast(pl.Int8),
        origin=pl.lit("original"),
        parent_id=pl.lit(None, pl.String),
        group="query",
    )


@pytest.fixture
def training_set(tmp_path: Path) -> ExportedPairs:
    """The variant `negatives` of qi, with a dev set and a prompt."""
    write_rows(tmp_path / "data/negatives/qi/train.parquet", pairs())
    write_rows(tmp_path / "data/original/qi/dev.parquet", tiny_lm.rows())
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/qi.txt").write_text(PROMPT, encoding="utf-8")
    return ExportedPairs("negatives", tmp_path / "data", tmp_path / "prompts")


def read(folder: Path, split: str = "train") -> list[dict[str, object]]:
    """The entries of a split, as `datasets` finds them by the card."""
    found = load_dataset(str(folder), "qi", cache_dir=str(folder.parent / "cache"))
    return list(found[split])


def test_labeled_pairs_are_all_labelled_rows(training_set: ExportedPairs, tmp_path: Path) -> None:
    export(training_set, tmp_path / "out", "labeled-pair")
    entries = read(tmp_path / "out")
    assert [tuple(entry) for entry in entries[:1]] == [("query", "candidate", "label")]  # the order that a loss reads
    expected = pairs().filter(pl.col("label").is_not_null()).select("query", "candidate", "label")
    assert [(entry["query"], entry["candidate"], int(entry["label"])) for entry in entries] == expected.rows()
    assert len(read(tmp_path / "out", "validation")) == tiny_lm.rows().height


def test_triplets_keep_to_query_and_language(training_set: ExportedPairs, tmp_path: Path) -> None:
    export(training_set, tmp_path / "out", "triplets")
    assert {tuple(entry.values()) for entry in read(tmp_path / "out")} == {
        ("shoes", "Running Shoes", "Pans"),
        ("shoes", "Running Shoes", "Pots"),
        ("shoes", "Schuhe", "Pans"),
        ("mug", "Mugs", "Pans"),
    }


def test_flag_embedding_has_a_line_a_query_and_its_teachers_scores(training_set: ExportedPairs, tmp_path: Path) -> None:
    export(training_set, tmp_path / "plain", "flag-embedding")
    lines = (tmp_path / "plain/qi/train.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"query": "shoes", "pos": ["Running Shoes"], "neg": ["Pans", "Pots"]},
        {"query": "shoes", "pos": ["Schuhe"], "neg": ["Pans"]},
        {"query": "mug", "pos": ["Mugs"], "neg": ["Pans"]},
    ]
    assert len(read(tmp_path / "plain")) == 3
    scores = tmp_path / "scores.parquet"
    write_table(scores, pairs().select("id", p_yes=pl.int_range(pl.len()) / 16))
    scored = ExportedPairs("negatives", training_set.data, training_set.prompts, ["qi"], scores)
    export(scored, tmp_path / "scored", "flag-embedding")
    first = json.loads((tmp_path / "scored/qi/train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert (first["pos_scores"], first["neg_scores"]) == ([0.0], [1 / 16, 2.5 / 16])  # r3 repeats r2
    write_table(scores, pairs().select("id", p_yes=0.5).head(3))
    lacking = ExportedPairs("negatives", training_set.data, training_set.prompts, ["qi"], scores)
    with pytest.raises(InputError, match="no p_yes of row 'r3'"):
        export(lacking, tmp_path / "lacking", "flag-embedding")


def test_llama_factory_finds_prompts_and_answers_by_its_own_file(training_set: ExportedPairs, tmp_path: Path) -> None:
    export(training_set, tmp_path / "out", "llama-factory")
    info = json.loads((tmp_path / "out/dataset_info.json").read_text(encoding="utf-8"))
    entry = info["babelshelf_negatives_qi_train"]
    assert entry["columns"] == {"prompt": "instruction", "query": "input", "response": "output"}
    records = json.loads((tmp_path / "out" / entry["file_name"]).read_text(encoding="utf-8"))
    assert all(list(record) == ["instruction", "input", "output"] for record in records)
    template = parse(PROMPT, "test")
    rows = pairs().filter(pl.col("label").is_not_null()).to_dicts()
    expected = [template.render(row) + (template.yes if row["label"] else template.no) for row in rows]
    assert [record["instruction"] + record["input"] + record["output"] for record in records] == expected
    assert len(read(tmp_path / "out")) == len(rows)


def test_the_card_counts_what_has_no_place(training_set: ExportedPairs, tmp_path: Path) -> None:
    export(training_set, tmp_path / "out", "triplets")
    card = DatasetCard.load(tmp_path / "out/README.md")
    assert card.data.language == ["de", "en"]
    assert card.data.task_categories == ["text-ranking"]
    assert f"{11 + tiny_lm.rows().height} as they were given." in card.text
    # of 11 labelled rows, gift's one and the two of the candidate with both labels
    assert "| `qi/train.parquet` | 4 | 11 | 3 |" in card.text


def test_a_variant_that_is_not_there_is_refused(training_set: ExportedPairs, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training set there"):
        export(ExportedPairs("filtered", training_set.data, training_set.prompts), tmp_path / "out", "triplets")
    with pytest.raises(InputError, match=r"labeled-pair or llama-factory or triplets|flag-embedding or"):
        export(training_set, tmp_path / "out", "cross-encoder")
