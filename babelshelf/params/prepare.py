"""The params of `prepare`: the source of the data, and what each source needs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.languages import normalize
from babelshelf.params.load import Section


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


class PrepareParams(Section):
    """The source, its input, and the sources' own params."""

    source: Literal["demo", "taxonomy"]
    input: str  # the lexicon's folder, or the folder of <locale>/categories.txt
    demo: DemoParams
    taxonomy: TaxonomyParams
