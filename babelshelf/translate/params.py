"""The params of `translate`: the section `translate`, and `tasks.<task>.translate` for what differs by task.

A translation backend is a plugin, a module of `babelshelf.translate.backends`; docs/translation.md says what it has.
"""

from __future__ import annotations

from functools import partial
from string import Formatter
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from babelshelf.core.languages import is_code
from babelshelf.core.params import Section
from babelshelf.core.plugins import Plugins, PluginSection, known
from babelshelf.llm.params import NANO, SourceParams
from babelshelf.text.params import ToleranceParams

BACKENDS = Plugins("babelshelf.translate.backends", "translate", "backend")
FIELDS = {"query", "source", "target", "source_name", "target_name"}


def _distinct_languages(codes: list[str]) -> list[str]:
    unknown = [code for code in codes if not is_code(code)]
    if unknown:
        raise ValueError(f"unknown language code {unknown[0]!r}: write one of ISO 639-1, such as de")
    if len(set(codes)) < len(codes):
        raise ValueError("a language is there twice")
    return codes


def _prompt(text: str) -> str:
    """Of `str.format`: `{query}` and, where they are of use, codes and English names of both languages."""
    try:
        fields = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise ValueError(f"not a template: {error}; write {{{{ and }}}} for braces") from error
    unknown = sorted(fields - FIELDS)
    if unknown:
        raise ValueError(f"unknown field {{{unknown[0]}}}; there are {', '.join(sorted(FIELDS))}")
    if not {"query"} < fields or not fields & {"target", "target_name"}:
        raise ValueError("needs {query}, and {target} or {target_name}")
    return text


Prompt = Annotated[str, AfterValidator(_prompt)]
Languages = Annotated[list[str], AfterValidator(_distinct_languages)]


class LanguageCheckParams(Section):
    """Language identification of the translations."""

    enabled: bool
    tolerance: ToleranceParams


# The params that the backends `transformers` and `vllm` share, as YAML.
CAUSAL_LM_SECTION = r"""
model: ByteDance-Seed/Seed-X-PPO-7B # a hub id, or a folder: /its/path, ./its/path, ~/its/path
revision: none # of a hub model: a commit, 40 hex digits; none takes what its main branch has on that day
languages: # that the model knows
  [ar, cs, da, de, en, es, fi, fr, hr, hu, id, it, ja, ko, ms, nb, nl, "no", pl, pt, ro, ru, sv, th, tr, uk, vi, zh]
prompt: "Translate the following {source_name} sentence into {target_name}:\n{query} <{target}>"
decoding: beam # or greedy
beam_width: 4
max_tokens: 64 # of a translation
max_length: 512 # tokens of prompt and translation; a longer query is dropped
precision: bf16
"""


class CausalLmParams(SourceParams):
    """A causal LM that translates, and how it is asked; the backends `transformers` and `vllm` extend it."""

    languages: Languages  # that the model knows
    prompt: Prompt
    decoding: Literal["greedy", "beam"]
    beam_width: int = Field(ge=2)
    max_tokens: int = Field(gt=0)  # of a translation
    max_length: int = Field(gt=0)  # tokens of prompt and translation; a longer query is dropped
    precision: Literal["fp32", "bf16"]

    @model_validator(mode="after")
    def _check(self) -> CausalLmParams:
        if self.model == NANO:
            raise ValueError("model: nano does not translate: name a hub id or a folder")
        if self.max_length <= self.max_tokens:
            raise ValueError("max_length must be more than max_tokens, as it counts the prompt, too")
        return self


class TranslateParams(PluginSection):
    """Which training queries are translated, by what, and what a translation must be like to be kept."""

    plugins: ClassVar[Plugins] = BACKENDS
    backend: Annotated[str, AfterValidator(partial(known, BACKENDS))]
    glossary: str = Field(min_length=1)  # of the backend lexicon; a fixed key, as dvc.yaml has it as a dep
    languages: Languages  # translated into; none: nothing is translated
    sources: Annotated[Languages, Field(min_length=1)]  # sampled from, in proportion to their rows
    rows_per_language: int = Field(gt=0)
    min_translated: float = Field(ge=0, le=1)  # share of a query's words, without names, numbers and units
    batch_size: int = Field(gt=0)  # queries a call of the backend and a write to the cache
    language_check: LanguageCheckParams

    @model_validator(mode="after")
    def _are_known_to_the_model(self) -> TranslateParams:
        own = getattr(self, self.choice, None)
        if isinstance(own, CausalLmParams):
            unknown = sorted({*self.languages, *self.sources} - {*own.languages})
            if unknown:
                path = f"translate.{self.choice}.languages"
                raise ValueError(f"{path}, those that the model knows, lack {', '.join(unknown)}")
        return self
