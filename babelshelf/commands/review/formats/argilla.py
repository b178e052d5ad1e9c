"""Argilla's records (`dataset.records.from_json` and `to_json`); a dataset with the settings of docs/review.md.

https://docs.argilla.io/latest/reference/argilla/records/records
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from babelshelf.commands.review.answers import decision_of, objects
from babelshelf.commands.review.items import ReviewItem
from babelshelf.tables.reviews import Decision

QUESTION = "relevance"
UNSUBMITTED = {"draft", "discarded"}


def write(items: Sequence[ReviewItem], file: Path) -> None:
    """Write a record for each row; see `babelshelf.commands.review.formats`."""
    records = [
        {
            "id": f"{item.task}/{item.id}",
            "fields": {"query": item.query, "candidate": item.candidate},
            "metadata": _metadata(item),
            "suggestions": {},
            "responses": {},
            "vectors": {},
        }
        for item in items
    ]
    file.write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> Iterator[tuple[str, Decision]]:
    """The submitted responses; see `babelshelf.commands.review.formats`."""
    for where, record in objects(file, "fields", advice="write it by `dataset.records.to_json`"):
        metadata = record.get("metadata") or {}
        texts = record["fields"] | {"language": metadata.get("language")}
        for response in (record.get("responses") or {}).get(QUESTION, []):
            if response.get("status", "submitted") not in UNSUBMITTED:
                made = decision_of(texts, response.get("value"), metadata.get("label"), None, where)
                yield str(response.get("user_id") or ""), made


def _metadata(item: ReviewItem) -> dict[str, Any]:
    known = {"language": item.language, "label": item.label, "p_yes": item.p_yes, "origin": item.origin}
    return {name: value for name, value in known.items() if value is not None}
