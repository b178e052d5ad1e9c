"""The scripts of examples/ run as their docstrings say."""

from __future__ import annotations

import gzip
import os
import string
import subprocess
import sys
from pathlib import Path

import polars as pl

from babelshelf.core.rows import ROW_SCHEMA, write_rows
from babelshelf.translate.backends.lexicon import read_glossary


def test_plot_variant_counts_and_draws_the_rows_of_a_training_set(root: Path, tmp_path: Path) -> None:
    row = {"task": "qc", "query": "tent", "candidate": "Camping > Tents", "label": 1, "group": "1"}
    rows = [
        row | {"id": "qc-1", "language": "en", "origin": "original", "parent_id": None},
        row | {"id": "qc-1/de", "language": "de", "origin": "translated", "parent_id": "qc-1"},
        row | {"id": "qc-1/negative", "language": "en", "label": 0, "origin": "negative", "parent_id": "qc-1"},
    ]
    write_rows(tmp_path / "train.parquet", pl.DataFrame(rows, schema=ROW_SCHEMA))
    command = [sys.executable, root / "examples" / "plot_variant.py", "train.parquet", "plot.png"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert all(origin in output for origin in ("original", "translated", "negative"))
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_freedict_glossary_takes_the_most_frequent_first_name(root: Path, tmp_path: Path) -> None:
    heads = {
        "tent": ["Zelt <neut>, Plane <fem>", "Zelt <neut>"],
        "shop": ["I.  <N> 1.  Laden [ugs.]"],
        "boat": ["Boot"],
    }
    content, index = "", []
    for head, bodies in heads.items():
        for body in bodies:
            entry = f"{head} /x/\n{body}\n   Note: no name\n"
            index.append(f"{head}\t{_digits(len(content.encode()))}\t{_digits(len(entry.encode()))}\n")
            content += entry
    (tmp_path / "freedict-eng-deu.index").write_text("".join(index), encoding="utf-8")
    (tmp_path / "freedict-eng-deu.dict.dz").write_bytes(gzip.compress(content.encode()))
    row = {"task": "qc", "candidate": "A > B", "label": 1, "group": "1", "origin": "original", "parent_id": None}
    rows = [row | {"id": str(i), "language": "en", "query": text} for i, text in enumerate(["Tent shop", "tent blue"])]
    write_rows(tmp_path / "train.parquet", pl.DataFrame(rows, schema=ROW_SCHEMA))
    arguments = ["train.parquet", "glossary.tsv", "--language", "de", "--dictionaries", "."]
    command = [sys.executable, "-m", "examples.freedict_glossary", *arguments]
    environment = os.environ | {"PYTHONPATH": str(root)}
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, env=environment).stdout
    assert (tmp_path / "glossary.tsv").read_text(encoding="utf-8") == "en\tde\nshop\tLaden\ntent\tZelt\n"
    assert "de: 2 terms, 75% of the words of the queries" in output
    assert read_glossary(tmp_path / "glossary.tsv").languages == ["en", "de"]


def _digits(number: int) -> str:
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    return (_digits(number // 64) if number >= 64 else "") + alphabet[number % 64]
