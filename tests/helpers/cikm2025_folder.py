"""A folder like the one of CIKM AnalytiCup 2025, which can't be had here: its schema, flaws and size, made-up words.

python -m tests.helpers.cikm2025_folder FOLDER 300000 50000    # rows of each train file, and of each dev and test file
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

TRAIN = {"qc": ["en", "fr", "es", "ko", "pt", "ja"], "qi": ["en", "fr", "es", "ko", "pt", "ja", "th"]}
HELD_OUT = {"qc": ["de", "it", "pl", "ar"], "qi": ["de", "it", "pl", "ar", "vn", "id"]}  # vn is what it has for vi
POSITIVE = {"qc": 0.69, "qi": 0.62}
ROWS_PER_QUERY = 4
WRONG_LANGUAGE = 0.03  # of queries
NULL_TITLES = 450 / 300_000
WORDS = [
    "red",
    "blue",
    "desk",
    "lamp",
    "phone",
    "case",
    "garden",
    "hose",
    "tea",
    "pot",
    "wool",
    "hat",
    "usb",
    "cable",
    "men",
    "shoe",
    "kids",
    "bike",
    "5",
    "ml",
    "steel",
]
NAMES = ["kitchen, dining & bar", "home & garden", "lights", "shoes, bags & hats", "tools", "toys", "cables", "cups"]


def write_folder(folder: Path, train: int, held_out: int, seed: int = 1) -> Path:
    """Write the six files; `train` and `held_out` are rows of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in ("qc", "qi"):
        for split, count in (("train", train), ("dev", held_out), ("test", held_out)):
            rows = made(task, split, count, random.Random(f"{seed} {task} {split}"))
            write_rows(folder / f"{split}_{task.upper()}.txt", rows)
    return folder


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def made(task: str, split: str, count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Rows of a file, in the order of their keys."""
    languages = TRAIN[task] + (HELD_OUT[task] if split != "train" else [])
    rows = []
    for number in range(count):
        if number % ROWS_PER_QUERY == 0:
            query = " ".join([*rng.choices(WORDS, k=3), f"{split[0]}{number}"])  # its own: no query is in two files
            language = rng.choice(languages)
            if rng.random() < WRONG_LANGUAGE:
                language = rng.choice(languages)
        row = {"id": number + 1, "task": task.upper(), "language": language, "origin_query": query}
        row |= {"category_path": _path(rng)} if task == "qc" else {"item_title": _title(rng)}
        rows.append(row | ({"label": int(rng.random() < POSITIVE[task])} if split == "train" else {}))
    return rows


def _path(rng: random.Random) -> str:
    return ",".join([*rng.choices(NAMES, k=rng.randint(1, 3)), f"{rng.choice(WORDS)} {rng.randrange(60)}"])


def _title(rng: random.Random) -> str | None:
    if rng.random() < NULL_TITLES:
        return None
    return " ".join(rng.choices(WORDS, k=12)).title() + f", {rng.randrange(10**6)}"


if __name__ == "__main__":
    write_folder(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
