"""A small invented category tree in four languages, for the tests of the source `taxonomy` and of `prepare`."""

from __future__ import annotations

from pathlib import Path

from babelshelf.prepare.sources.taxonomy import Params

LOCALES = ["en", "fr", "de", "pt-BR"]
SETTINGS = {
    "locales": LOCALES,
    "train_languages": ["en", "fr"],
    "categories": "all",
    "dev_share": 0.2,
    "test_share": 0.2,
    "rows_train": 100,
    "positive_share": 0.6,
    "hard_share_train": 0.3,
    "hard_share_held_out": 0.5,
    "label_noise": 0.0,
}


def tree() -> dict[str, tuple[str, ...]]:
    """Three branches of three shelves of six leaves: 66 categories, `{id: levels}`."""
    found: dict[str, tuple[str, ...]] = {}
    for branch in "abc":
        found[branch] = (f"Branch {branch}",)
        for shelf in "xyz":
            found[branch + shelf] = (*found[branch], f"Shelf {branch}{shelf}")
            for leaf in "123456":
                identity = branch + shelf + leaf
                found[identity] = (*found[branch + shelf], f"Leaf {identity}")
    return found


def lines(locale: str) -> list[str]:
    """The lines of a locale's file; outside English each name begins with the locale."""
    local = {
        identity: [name if locale == "en" else f"{locale} {name}" for name in levels]
        for identity, levels in tree().items()
    }
    return ["# a comment", "", *(f"{identity:8} : {' > '.join(levels)}" for identity, levels in local.items())]


def write_tree(folder: Path, changes: dict[str, dict[str, str | None]] | None = None) -> Path:
    """Write the tree; `changes` gives new lines by locale and id, None to leave a line out."""
    for locale in LOCALES:
        changed = (changes or {}).get(locale, {})
        kept = [changed.get(line.split(" : ")[0].strip(), line) for line in lines(locale)]
        file = folder / locale / "categories.txt"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join(line for line in kept if line is not None) + "\n", encoding="utf-8")
    return folder


def settings(**changes: object) -> Params:
    """Params that fit the tree."""
    return Params.model_validate(SETTINGS | changes)
