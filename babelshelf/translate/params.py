"""The params of `translate`: the section `translate`, and `tasks.<task>.translate` for what differs by task."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from babelshelf.core.languages import is_code
from babelshelf.core.params import Section
from babelshelf.llm.params import NANO, SourceParams
from babelshelf.text.params import ToleranceParams


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


FIELDS = {"query", "source", "target", "source_name", "target_name"}
Prompt = Annotated[str, AfterValidator(_prompt)]
Languages = Annotated[list[str], AfterValidator(_distinct_languages)]


class LanguageCheckParams(Section):
    """Language identification of the translations."""

    enabled: bool
    tolerance: ToleranceParams


class TransformersParams(Section):
    """What the backend `transformers` needs beside the model."""

    batch_size: int = Field(gt=0)  # queries that are generated at once


class VllmParams(Section):
    """What the backend `vllm` needs beside the model."""

    max_num_seqs: int = Field(gt=0)  # sequences at once; a query has beam_width of them
    tensor_parallel: int = Field(gt=0)  # GPUs that share the model
    gpu_memory_utilization: float = Field(gt=0, le=1)  # share of each GPU's memory; on a CPU, of the memory


class LmParams(SourceParams):
    """The causal LM of the backends `transformers` and `vllm`, and how it is asked."""

    languages: Languages  # that the model knows
    prompt: Prompt
    decoding: Literal["greedy", "beam"]
    beam_width: int = Field(ge=2)
    max_tokens: int = Field(gt=0)  # of a translation
    max_length: int = Field(gt=0)  # tokens of prompt and translation; a longer query is dropped
    precision: Literal["fp32", "bf16"]
    transformers: TransformersParams
    vllm: VllmParams

    @model_validator(mode="after")
    def _check(self) -> LmParams:
        if self.model == NANO:
            raise ValueError("model: nano does not translate: name a hub id or a folder")
        if self.max_length <= self.max_tokens:
            raise ValueError("max_length must be more than max_tokens, as it counts the prompt, too")
        return self


class OpenAIParams(Section):
    """The endpoint of the backend `openai`; its key is read from the environment's OPENAI_API_KEY."""

    base_url: str = Field(pattern=r"^https?://[^\s@]+$")  # no user:password@ either
    model: str = Field(min_length=1)
    api: Literal["chat", "completions"]
    prompt: Prompt
    request: dict[str, JsonValue]  # further keys of each request, as they are
    concurrency: int = Field(gt=0)  # requests at once
    timeout: float = Field(gt=0)  # seconds a try
    retries: int = Field(ge=0)  # of a request, by the SDK


class TranslateParams(Section):
    """Which training queries are translated, by what, and what a translation must be like to be kept."""

    backend: Literal["lexicon", "transformers", "vllm", "openai"]
    glossary: str = Field(min_length=1)  # of the backend lexicon
    languages: Languages  # translated into; none: nothing is translated
    sources: Annotated[Languages, Field(min_length=1)]  # sampled from, in proportion to their rows
    rows_per_language: int = Field(gt=0)
    min_translated: float = Field(ge=0, le=1)  # share of a query's words, without names, numbers and units
    batch_size: int = Field(gt=0)  # queries a call of the backend and a write to the cache
    language_check: LanguageCheckParams
    lm: LmParams
    openai: OpenAIParams

    @model_validator(mode="after")
    def _known_to_the_model(self) -> TranslateParams:
        if self.backend in {"transformers", "vllm"}:
            unknown = sorted({*self.languages, *self.sources} - {*self.lm.languages})
            if unknown:
                raise ValueError(f"translate.lm.languages, those that the model knows, lack {', '.join(unknown)}")
        return self
