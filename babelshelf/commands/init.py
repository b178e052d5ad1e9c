"""Look at a stranger's files of labelled pairs and propose the params that read them: `babelshelf init --qc FILE`.

What is proposed is tried before it is written: all rows are read, and what would be kept and left out is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.commands import profile
from babelshelf.core.errors import InputError
from babelshelf.core.languages import normalize
from babelshelf.core.params import PARAMS_FILE, load_seed, read, section
from babelshelf.pairs.column_roles import GRADES, NEGATIVE, POSITIVE, guess, separator
from babelshelf.pairs.folders import SPLITS, Names, files_like, files_passed_over, locate
from babelshelf.pairs.formats import PROPOSED, as_params, form, sample, written
from babelshelf.pairs.params import FilesParams
from babelshelf.pairs.readers import read_file
from babelshelf.pairs.rows import ROLES, bad_rows, described, label_keys
from babelshelf.pairs.splits import KEPT, both_labels, settle
from babelshelf.prepare.from_pairs import SHOWN, counts, read_rows
from babelshelf.prepare.params import SOURCES

FREQUENT = 0.02  # a value of labels that is rarer is taken for a bad one
MOST_VALUES = 100  # of labels: with more they are no classes
MOST_BAD = 0.02  # of rows: with more, something is wrong with the mapping or the file
FEW, MANY = 20, 1000  # candidates: with fewer none are mined, with more the window is the paper's


@dataclass(frozen=True)
class Asked:
    """What the user said.

    Attributes:
        paths: `{task: file, folder or pattern}`.
        columns: `{role: name of the column}`.
        language: of all rows; "" where a column says it.
        positive: values of the label that mean relevant; none where the values speak for themselves.
    """

    paths: Mapping[str, str]
    columns: Mapping[str, str]
    language: str
    positive: Sequence[str]


@dataclass(frozen=True)
class Proposal:
    """Params, and what to tell of them.

    Attributes:
        overlay: of params.yaml, a JSON merge patch.
        lines: what was decided, and what to check.
    """

    overlay: dict[str, Any]
    lines: list[str]


def propose(asked: Asked, prepare: Mapping[str, Any], tasks: Mapping[str, Any], seed: int) -> Proposal:
    """Params for the files.

    Args:
        asked: the files, and what the user said of them.
        prepare: the section as it stands: what is not about the files stays as it is.
        tasks: the sections of the tasks as they are by default, for a task that params.yaml lacks.
        seed: of the cut.

    Raises:
        InputError: a file can't be read, a column can't be found, or more than 2 % of the rows are bad.
    """
    inputs: dict[str, Path] = {}
    files = {**prepare["files"], "tasks": list(asked.paths), "max_bad_share": 0.0}
    names = {split: {name.lower() for name in found} for split, found in files["split"]["names"].items()}
    lines: list[str] = []
    for task, path in asked.paths.items():
        inputs[task], patterns = locate(Path(path), names)
        files[task], told = _of_task(task, inputs[task], patterns, asked, names)
        lines += told
    return _tried(inputs, files, tasks, lines, seed)


def write(asked: Asked, params: Path = PARAMS_FILE, folder: Path = profile.PROFILES) -> list[str]:
    """Propose, and write the proposal into `params`; what to tell.

    Raises:
        InputError: as `propose` does; or a role or language that the user named does not exist. `params` stays.
    """
    unknown = [role for role, name in asked.columns.items() if role not in ROLES or not name]
    if unknown:
        raise InputError(f"--column {unknown[0]!r}: write ROLE=NAME; the roles are {', '.join(ROLES)}")
    language = normalize(asked.language, "--language") if asked.language else ""
    values, defaults = read(params), read(folder / "nano.yaml")
    values["prepare"].setdefault("files", SOURCES.defaults("files"))
    tasks = {**defaults["tasks"], **values["tasks"]}
    made = propose(replace(asked, language=language), values["prepare"], tasks, load_seed(params))
    changes = profile.overlay(profile.commented(made.overlay), "what init proposes", params)
    return [*made.lines, f"{params}: {len(changes)} values changed; next: make repro"]


# --- what is in a file ---


def _of_task(
    task: str, path: Path, patterns: dict[str, str], asked: Asked, splits: Names
) -> tuple[dict[str, Any], list[str]]:
    """The params of a task's files, and what to tell of them."""
    first = _a_file(path, patterns)
    how = written(first)
    rows = sample(first, how)
    if {"esci_label", "product_id", "product_locale"} <= set(rows.columns) and "product_title" not in rows.columns:
        raise InputError(f"{first}: the examples of ESCI, whose titles are in another file: `babelshelf profile esci`")
    known = _known(rows, asked, first)
    guessed = guess(rows, task, known, set().union(*splits.values()))
    columns = _columns(guessed, asked, first, rows.columns, given_split=not patterns["rows"])
    told: list[str] = []
    if asked.positive:
        found = [read_file(file, as_params(how, {}), {"label": columns["label"]}) for file in _files(path, patterns)]
        labels = _said(pl.concat(found)["label"], asked.positive, first, columns["label"])
    else:
        labels, told = _labels(rows[columns["label"]], first, columns["label"])
    path_separator = separator(rows[columns["candidate"]].drop_nulls()) if task == "qc" else ""
    params = {
        **patterns,
        **how,
        "columns": columns,
        "language": "" if columns["language"] else asked.language,
        "labels": labels,
        "path_separator": path_separator,
    }
    return params, [f"{task}: {path} ({form(how)})", *_not_read(path, patterns), *_told(rows, params), *told]


def _not_read(path: Path, patterns: Mapping[str, str]) -> list[str]:
    """A line for each data file of a folder that no pattern matches."""
    left_out = files_passed_over(path, _files(path, patterns)) if path.is_dir() else {}
    return [f"  check: {file.relative_to(path)} is not read: {reason}" for file, reason in left_out.items()]


def _a_file(path: Path, patterns: dict[str, str]) -> Path:
    pattern = patterns["rows"] or patterns["train"]
    files = _files(path, {"rows": pattern})
    if not files:
        raise InputError(f"{path}: no file in it has the form {pattern!r}")
    return files[0]


def _files(path: Path, patterns: Mapping[str, str]) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for pattern in patterns.values() if pattern for file in files_like(path, pattern))


def _known(rows: pl.DataFrame, asked: Asked, file: Path) -> dict[str, str]:
    """The columns that the user named, of those that are there."""
    unknown = [name for name in asked.columns.values() if name not in rows.columns]
    if unknown and len(asked.paths) == 1:
        there = ", ".join(rows.columns)
        raise InputError(f"{file}: --column: no column {unknown[0]!r}; there are {there}")
    return {role: name for role, name in asked.columns.items() if name in rows.columns}


def _columns(
    guessed: Mapping[str, str], asked: Asked, file: Path, names: Sequence[str], *, given_split: bool
) -> dict[str, str]:
    """The column of each role, "" where there is none; raise InputError where it must be said."""
    found, there = dict(guessed), ", ".join(names)
    if asked.language:
        found["language"] = ""
    if given_split:
        found["split"] = ""
    problems = [
        f"{file}: which column is the {role}? Say --column {role}=NAME; there are {there}"
        for role in ("query", "candidate", "label")
        if role not in found
    ]
    if "language" not in found:
        problems.append(f"{file}: no column says the language: say --language CODE, or --column language=NAME")
    if problems:
        raise InputError("\n".join(problems))
    return {role: found.get(role, "") for role in ("query", "candidate", "label", "language", "id", "split")}


def _said(labels: pl.Series, positive: Sequence[str], file: Path, name: str) -> dict[str, Any]:
    """What labels say where the user said which mean relevant: all others, however rare, mean irrelevant."""
    yes, values = label_keys(positive).to_list(), label_keys(labels.drop_nulls())
    counts = (
        values.filter(~values.is_in([*yes, ""])).value_counts().sort(["count", values.name], descending=[True, False])
    )
    no = counts[values.name].to_list()
    if len(no) > MOST_VALUES:
        shown = ", ".join(no[:SHOWN])
        raise InputError(
            f"{file}: {len(no):,} values of {name!r} would mean irrelevant ({shown}, ...): is it the label?"
        )
    return {"positive": yes, "negative": no, "positive_from": "none", "missing": _missing(labels)}


def _missing(labels: pl.Series) -> str:
    return "drop" if labels.null_count() > FREQUENT * len(labels) else "bad"


def _labels(labels: pl.Series, file: Path, name: str) -> tuple[dict[str, Any], list[str]]:
    """What labels that speak for themselves say, and what to tell of it."""
    folded = label_keys(labels.drop_nulls())
    frequent = folded.value_counts().filter(pl.col("count") >= FREQUENT * len(folded)).sort("count", descending=True)
    values = [value for value in frequent[folded.name] if value]
    params: dict[str, Any] = {"positive": [], "negative": [], "positive_from": "none", "missing": _missing(labels)}
    yes, no, grades = ([value for value in values if value in words] for words in (POSITIVE, NEGATIVE, GRADES))
    if yes and no and len(yes) + len(no) + len(grades) == len(values):
        note = [f"  check: {', '.join(grades)} count as irrelevant (labels.negative)"] if grades else []
        return params | {"positive": sorted(yes), "negative": sorted([*no, *grades])}, note
    numbers = folded.cast(pl.Float64, strict=False).drop_nulls()
    if len(numbers) >= (1 - FREQUENT) * len(folded) and numbers.n_unique() > 1:
        positive_from = float(numbers.min() + numbers.max()) / 2  # type: ignore[arg-type, operator]
        return params | {"positive_from": positive_from}, [
            f"  check: labels from {positive_from:g} on count as relevant (labels.positive_from)"
        ]
    raise InputError(
        f"{file}: which values of {name!r} mean relevant? Say --positive VALUE; there are {', '.join(values)}"
    )


def _told(rows: pl.DataFrame, params: dict[str, Any]) -> list[str]:
    """The mapping with an example of each."""
    lines = []
    for role, name in params["columns"].items():
        if name:
            values = rows[name].drop_nulls().unique(maintain_order=True).head(3 if role in {"label", "language"} else 1)
            lines.append(f"  {role:<9} <- {name} ({', '.join(values)})")
    if params["language"]:
        lines.append(f"  language  = {params['language']}, of all rows")
    if params["path_separator"]:
        lines.append(f"  levels of a path are separated by {params['levels']!r}")
    return lines


# --- the trial ---


def _tried(
    inputs: dict[str, Path], files: dict[str, Any], defaults: Mapping[str, Any], lines: list[str], seed: int
) -> Proposal:
    """Read all rows with the params, and set what depends on how many there are."""
    trial = {**files, "max_bad_share": 0.0, "split": {**files["split"], "leaks": "drop"}}
    settings = section(FilesParams, {"prepare.files": trial}, "prepare.files", None, PROPOSED)
    rows = read_rows(inputs, settings)
    for task in settings.tasks:
        if (rows.filter(task=task)["drop"] == "duplicate_id").any():
            files[task]["columns"]["id"] = ""
            lines.append(f"  {task}: ids are not unique, so ids are made from row numbers")
            return _tried(inputs, files, defaults, lines, seed)
    worst = _check_bad(rows, settings)
    files["max_bad_share"] = MOST_BAD if worst else 0.0
    settled = settle(rows, settings, seed)
    given = settled["given"].is_not_null().any()
    files["split"] = {**files["split"], "leaks": "drop" if given else "error"}
    lines += [line for task in settings.tasks for line in _counted(task, settled.filter(task=task))]
    lines += _notes(rows, files)
    return Proposal(_overlay(inputs, files, defaults, settled), lines)


def _check_bad(rows: pl.DataFrame, settings: FilesParams) -> float:
    """The largest share of bad rows; raise InputError if it is too large to be an accident."""
    rejects = bad_rows(rows, settings)
    worst = 0.0
    for task in settings.tasks:
        read, bad = rows.filter(task=task).height, rejects.filter(task=task).height
        if not read:
            raise InputError(f"{task}: no rows: give a file that has some")
        worst = max(worst, bad / read)
        if bad > MOST_BAD * read:
            lines = described(rejects.filter(task=task).head(SHOWN))
            total = f"{bad} of {read} {task} rows are bad ({bad / read:.2%}): is the mapping right? The first of them:"
            raise InputError("\n".join([total, *lines]))
    return worst


def _counted(task: str, rows: pl.DataFrame) -> list[str]:
    found = counts(rows)
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in found["dropped"].items()) or "none"
    kept = rows.filter(KEPT)
    relevant = float(kept["label"].sum()) / max(kept.height, 1)
    sizes = ", ".join(f"{split} {kept.filter(split=split).height:,}" for split in SPLITS)
    languages = kept["language"].value_counts().sort(["count", "language"], descending=[True, False]).head(15)
    return [
        f"{task}: {found['read']:,} rows read, {found['kept']:,} kept ({sizes}), {relevant:.0%} relevant",
        f"  left out: {dropped}",
        f"  languages: {', '.join(f'{language} {count:,}' for language, count in languages.iter_rows())}",
    ]


def _notes(rows: pl.DataFrame, files: dict[str, Any]) -> list[str]:
    notes = []
    if files["max_bad_share"]:
        notes.append(f"bad rows, at most {MOST_BAD:.0%}, will be written to data/original/rejects.csv")
    pairs = both_labels(rows)
    if pairs:
        notes.append(f"check: {pairs:,} pairs have both labels; prepare.files.conflicts keeps, drops or settles them")
    notes.append(
        "no glossary: queries are not translated (translate.languages: []); docs/translation.md says how to give one"
    )
    return notes


def _overlay(
    inputs: dict[str, Path], files: dict[str, Any], defaults: Mapping[str, Any], settled: pl.DataFrame
) -> dict[str, Any]:
    """All that changes in params.yaml; with few candidates there is less to rank, and fewer dimensions."""
    kept = settled.filter(KEPT & (pl.col("split") == "train"))
    sizes = {task: kept.filter(task=task)["candidate"].n_unique() for task in inputs}
    tasks = {task: _recipe(size, defaults[task]) for task, size in sizes.items()}
    path = str(next(iter(inputs.values())))
    used = {key: files[key] for key in ("tasks", *inputs, "split", "max_bad_share")}
    return {
        "tasks": {task: tasks.get(task) for task in defaults},
        "prepare": {
            "source": "files",
            "input": {task: str(inputs.get(task, path)) for task in ("qc", "qi")},
            "files": used,
        },
        "base_model": {"embedder": {"nano": {"dimension": _dimension(sum(sizes.values()))}}},
        "translate": {"languages": []},
    }


def _recipe(candidates: int, default: Mapping[str, Any]) -> dict[str, Any]:
    """The default recipe without translation; original rows alone where there is next to nothing to mine."""
    variant = "negatives" if candidates >= FEW else "original"
    window = list(default["mine_negatives"]["rank_window"])
    if candidates >= MANY:
        window = [20, 50]
    elif candidates < 4 * window[1]:
        window = [1, max(candidates // 4, 2)]
    recipe = {"train_on": variant, "negatives_on": "original", "filter_on": variant}
    return {**default, **recipe, "mine_negatives": {**default["mine_negatives"], "rank_window": window}}


def _dimension(candidates: int) -> int:
    """A power of two, at most 256, of which there are at least twice as many candidates."""
    return min(256, 1 << max((candidates // 2).bit_length() - 1, 0))
