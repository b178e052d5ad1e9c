"""Label Studio's JSON (import of tasks, and the export "JSON"); a project with the labeling config of docs/review.md.

https://labelstud.io/guide/task_format
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from babelshelf.commands.review.answers import decision_of, objects
from babelshelf.commands.review.items import ReviewItem
from babelshelf.tables.reviews import PAIR, Decision

QUESTION = "relevance"  # `name` of the choices in the labeling config


def write(items: Sequence[ReviewItem], file: Path) -> None:
    """Write a task for each row; see `babelshelf.commands.review.formats`."""
    fields = (*PAIR, "label", "p_yes")
    tasks = [{"data": {name: getattr(item, name) for name in fields}} for item in items]
    file.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> Iterator[tuple[str, Decision]]:
    """The annotations, without those that were skipped; see `babelshelf.commands.review.formats`."""
    for where, task in objects(file, "data", advice="export as JSON, not JSON-MIN or CSV"):
        for annotation in task.get("annotations", []):
            if not annotation.get("was_cancelled"):
                yield from _decisions(task["data"], annotation, where)


def _decisions(data: dict[str, Any], annotation: dict[str, Any], where: str) -> Iterator[tuple[str, Decision]]:
    at = annotation.get("updated_at") or annotation.get("created_at")
    for result in annotation.get("result", []):
        if result.get("from_name") == QUESTION:
            choices = result.get("value", {}).get("choices") or [None]
            yield _person(annotation.get("completed_by")), decision_of(data, choices[0], data.get("label"), at, where)


def _person(completed_by: Any) -> str:  # noqa: ANN401 - an id, or an object, by version and kind of export
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return "" if completed_by is None else str(completed_by).partition("@")[0]
