"""The params of the source `taxonomy`: the section `prepare.taxonomy`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.core.languages import normalize
from babelshelf.core.params import Section

SECTION = r"""
locales: [en, fr, es, ko, pt-BR, ja, de, it, pl, th, vi, id-ID] # dev and test have all of them
train_languages: [en, fr, es, ko, pt, ja]
categories: 2000 # or all: at random, leaves first
dev_share: 0.1 # of categories
test_share: 0.15
rows_train: 12000 # dev and test hold each of their queries
positive_share: 0.69 # of rows labelled 1; in train, label noise included
hard_share_train: 0.1 # of negatives: those that share most of the true category's path
hard_share_held_out: 0.5
label_noise: 0.0 # of train labels, flipped in both classes alike
"""


class Params(Section):
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
