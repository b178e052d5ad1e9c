"""The params of `prepare`: the source of the data, and what each source needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.core.errors import InputError
from babelshelf.core.languages import normalize
from babelshelf.core.params import PARAMS_FILE, Section, section
from babelshelf.pairs.params import CharactersPerText, CutParams, FilesParams, HoldoutParams, Tasks


class RowsPerTask(Section):
    """A number of rows for each task."""

    qc: int = Field(gt=0)
    qi: int = Field(gt=0)


class SharePerTask(Section):
    """A share for each task: with fewer positives, a query of five candidates could not hold the negatives."""

    qc: float = Field(ge=0.4, le=0.8)
    qi: float = Field(ge=0.4, le=0.8)


class DemoParams(Section):
    """The simulated marketplace."""

    rows_train: RowsPerTask
    rows_dev: int = Field(gt=0)  # per language
    rows_test: int = Field(gt=0)  # per language
    positive_share: SharePerTask  # of rows labelled 1; in train, label noise included
    hard_share_train: float = Field(ge=0, le=1)  # of negatives: siblings, or the same product with a wrong attribute
    hard_share_held_out: float = Field(ge=0, le=1)
    label_noise: float = Field(ge=0, le=0.2)  # of train labels, flipped in both classes alike
    wrong_language: float = Field(ge=0, le=1)  # of train queries, declared as another train language
    english_share: float = Field(gt=0, le=1)  # of train queries; the other languages share the rest equally
    brand_share: float = Field(ge=0, le=1)  # of queries that name a brand
    fillers: float = Field(ge=0, le=1)  # of queries with a word that says nothing of the item, such as "cheap"
    code_mixing: float = Field(ge=0, le=1)  # of queries in other languages, with one part in English
    typing_errors: float = Field(ge=0, le=1)  # of queries, with one edit in one word


class TaxonomyParams(Section):
    """The category tree in several languages; its one task is qc."""

    locales: list[str]  # folder names; dev and test have their languages all
    train_languages: list[str] = Field(min_length=1)
    categories: int | Literal["all"]  # at random, leaves first
    dev_share: float = Field(gt=0, lt=0.5)  # of categories
    test_share: float = Field(gt=0, lt=0.5)
    rows_train: int = Field(gt=0)  # dev and test hold each of their queries
    positive_share: float = Field(gt=0, lt=1)  # of rows labelled 1; in train, label noise included
    hard_share_train: float = Field(ge=0, le=1)  # of negatives: those that share most of the true category's path
    hard_share_held_out: float = Field(ge=0, le=1)
    label_noise: float = Field(ge=0, le=0.2)  # of train labels, flipped in both classes alike

    @field_validator("locales")
    @classmethod
    def _one_a_language(cls, locales: list[str]) -> list[str]:
        languages = [normalize(locale, "prepare.taxonomy.locales") for locale in locales]
        twice = [language for language in languages if languages.count(language) > 1]
        if twice:
            raise ValueError(f"two locales are of the language {twice[0]!r}: keep one")
        if "en" not in languages:
            raise ValueError("the English locale is missing: candidates are its paths")
        return locales

    @field_validator("train_languages")
    @classmethod
    def _known(cls, train_languages: list[str], info: ValidationInfo) -> list[str]:
        languages = [normalize(locale, "prepare.taxonomy.locales") for locale in info.data.get("locales", [])]
        unknown = [language for language in train_languages if language not in languages]
        if unknown:
            raise ValueError(f"no locale is of the language {unknown[0]!r}; those of the locales are {languages}")
        return train_languages


class Cikm2025Params(Section):
    """The competition's folder; its format is known."""

    tasks: Tasks  # that there are files of
    split: CutParams
    max_bad_share: float = Field(ge=0, lt=1)  # of train rows; up to it, bad rows are dropped and written to a table
    conflicts: Literal["keep", "drop", "majority"]  # a pair with both labels
    long: CharactersPerText  # longer texts are counted


Grade = Literal["positive", "negative", "drop"]


class GradesParams(Section):
    """What the grades between exact (1) and irrelevant (0) say."""

    substitute: Grade
    complement: Grade


class EsciSplitParams(HoldoutParams):
    """Test is the data set's own; dev is cut out of its train."""

    dev_share: float = Field(gt=0, lt=0.5)  # of the query groups of train
    leaks: Literal["error", "drop"]  # rows whose query another split holds: drop them from train


class EsciParams(Section):
    """Amazon's Shopping Queries data set; its format is known, its one task is qi."""

    version: Literal["small", "large"]
    locales: list[Literal["us", "es", "jp"]] = Field(min_length=1)
    grades: GradesParams
    split: EsciSplitParams
    max_bad_share: float = Field(ge=0, lt=1)  # of rows; up to it, bad rows are dropped and written to a table
    conflicts: Literal["keep", "drop", "majority"]  # a pair with both labels
    long: CharactersPerText  # longer texts are counted


# What would not count in a part's overlay, and where it is set.
SET_ELSEWHERE = {
    "tasks": "the part's tasks",
    "conflicts": "prepare.mixed.conflicts",
    "split.leaks": "prepare.mixed.split.leaks",
    "split.holdout_languages": "prepare.mixed.split.holdout_languages",
}


class PartParams(Section):
    """One source of several."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")  # in ids and metrics
    source: Literal["files", "cikm2025", "esci"]
    tasks: Tasks  # that it gives rows for
    path: str = Field(min_length=1)  # prepare.input.qc or prepare.input.qi, or what is in one of them
    splits: Literal["own", "train"]  # its own train, dev and test, or all of its rows in train
    overlay: dict[str, Any]  # what differs from prepare.<source>: a JSON merge patch (RFC 7396)

    @field_validator("tasks")
    @classmethod
    def _has_the_tasks(cls, tasks: list[str], info: ValidationInfo) -> list[str]:
        if info.data.get("source") == "esci" and tasks != ["qi"]:
            raise ValueError("the source esci has the task qi alone")
        return tasks

    @field_validator("overlay")
    @classmethod
    def _counts(cls, overlay: dict[str, Any]) -> dict[str, Any]:
        split = overlay.get("split")
        keys = [*overlay, *(f"split.{key}" for key in (split if isinstance(split, dict) else {}))]
        for key in keys:
            if key in SET_ELSEWHERE:
                raise ValueError(f"{key} does not count in an overlay: set {SET_ELSEWHERE[key]}")
        return overlay


class MixedSplitParams(HoldoutParams):
    """What holds over all parts; shares are those of each part's source."""

    leaks: Literal["error", "drop"]  # rows whose query another split holds, in whichever part: drop them from train


class MixedParams(Section):
    """Several sources."""

    parts: list[PartParams] = Field(min_length=1)
    split: MixedSplitParams
    conflicts: Literal["keep", "drop", "majority"]  # a pair with both labels, in whichever parts

    @field_validator("parts")
    @classmethod
    def _apart(cls, parts: list[PartParams]) -> list[PartParams]:
        names = [part.name for part in parts]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two parts are called {twice[0]!r}: rename one")
        if splits := {"train", "dev", "test"} & set(names):
            raise ValueError(f"a part is called {min(splits)!r}, as a split is in ids and metrics: rename it")
        if sum(part.source == "cikm2025" for part in parts) > 1:
            raise ValueError("two parts are of cikm2025: a submission could not tell their rows apart")
        return parts


class InputParams(Section):
    """A file or folder for each task: the same path twice where one holds both, or where there is but one task."""

    qc: str = Field(min_length=1)
    qi: str = Field(min_length=1)


PairParams = FilesParams | Cikm2025Params | EsciParams
MODELS: Mapping[str, type[PairParams]] = {"files": FilesParams, "cikm2025": Cikm2025Params, "esci": EsciParams}


@dataclass(frozen=True)
class Parts:
    """What the source `mixed` needs.

    Attributes:
        mixed: its own section.
        settings: the params of each part's source by the part's name, with its overlay and its tasks.
    """

    mixed: MixedParams
    settings: Mapping[str, PairParams]


class PrepareParams(Section):
    """The source, its input, and the sources' own params."""

    source: Literal["demo", "taxonomy", "files", "cikm2025", "esci", "mixed"]
    input: InputParams
    demo: DemoParams
    taxonomy: TaxonomyParams
    files: FilesParams
    cikm2025: Cikm2025Params
    esci: EsciParams
    mixed: MixedParams

    def chosen(self, file: Path = PARAMS_FILE) -> Section | Parts:
        """What the source needs: its section, or that of `mixed` with those of its parts.

        Raises:
            InputError: a part's overlay does not fit the section of its source, or DVC does not watch its path; the
                message calls the params `file`.
        """
        return self.parts(file) if self.source == "mixed" else getattr(self, self.source)

    def parts(self, file: Path = PARAMS_FILE) -> Parts:
        """The params of each part; raises InputError as `chosen` does."""
        watched = [Path(normpath(path)) for path in (self.input.qc, self.input.qi)]
        for part in self.mixed.parts:
            if not any(Path(normpath(part.path)).is_relative_to(path) for path in watched):
                raise InputError(
                    f"{file}: {_where(part)}.path: {part.path!r} is neither prepare.input.qc nor prepare.input.qi, "
                    "nor in one of them, so DVC would not see it change: put all inputs into one folder, and give that"
                )
        return Parts(self.mixed, {part.name: self._of_part(part, file) for part in self.mixed.parts})

    def _of_part(self, part: PartParams, file: Path) -> PairParams:
        whole = patched(getattr(self, part.source).model_dump(), part.overlay)
        if part.source != "esci":
            whole["tasks"] = part.tasks
        where = f"{_where(part)}.overlay"
        return section(MODELS[part.source], {where: whole}, where, None, file)


def _where(part: PartParams) -> str:
    return f"prepare.mixed.parts ({part.name})"


def patched(value: Any, patch: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    """`value` with a JSON merge patch (RFC 7396): mappings by key, null deletes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    old = value if isinstance(value, dict) else {}
    merged = {key: patched(old.get(key), new) for key, new in patch.items() if new is not None}
    return {key: item for key, item in old.items() if key not in patch} | merged
