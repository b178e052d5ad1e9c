"""The backend `transformers`: its prompts, its decoding against references by hand, its stage, and kills."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import polars as pl
import pytest
import torch
from click.testing import CliRunner
from ruamel.yaml import YAML
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from babelshelf.core.errors import InputError
from babelshelf.core.params import read, section
from babelshelf.core.rows import ROW_SCHEMA, read_table, write_rows, write_table
from babelshelf.core.work_cache import WorkCache
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.translate import causal_lm
from babelshelf.translate.backends.transformers import Params
from babelshelf.translate.backends.transformers.generator import TransformersGenerator, new_lines
from babelshelf.translate.params import BACKENDS, TranslateParams
from babelshelf.translate.translation import run
from babelshelf.translate.translator import Translation, load_translator
from stages.translate import main
from tests.helpers import tiny_mistral

NANO = read(Path(__file__).parents[2] / "profiles" / "nano.yaml")["translate"]
GLOSSARY = Path(__file__).parents[2] / "tests" / "fixtures" / "glossary.tsv"
QUERIES = ["black bag", "running shoes for women", "a", "zapatillas", "sac noir pour le voyage et la plage", "ü 12"]
SMALL = {"decoding": "greedy", "precision": "fp32", "max_tokens": 12}
PROMPT = BACKENDS.defaults("transformers")["prompt"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_mistral.save(tmp_path_factory.mktemp("mistral"))


def params(folder: Path, backend: str = "transformers", **changes: object) -> TranslateParams:
    own = BACKENDS.defaults(backend) | SMALL | {"model": str(folder)}
    own |= {"batch_size": 4} if backend == "transformers" else {}
    values = NANO | {"backend": backend, backend: own | changes, "rows_per_language": 100}
    return section(TranslateParams, {"translate": values}, "translate", None)


def generator(folder: Path, settings: Params) -> TransformersGenerator:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return TransformersGenerator(model, load_tokenizer(folder), settings)


def encoded(folder: Path) -> list[list[int]]:
    words = load_tokenizer(folder)
    return [words(causal_lm.render(PROMPT, query, "en", "de"))["input_ids"] for query in QUERIES]


@torch.inference_mode()
def log_probabilities(model: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    return torch.log_softmax(model(input_ids=torch.tensor([tokens])).logits[0, -1], dim=-1)


def greedy_by_hand(model: PreTrainedModel, prompt: list[int], ends: set[int], steps: int) -> list[int]:
    made: list[int] = []
    while len(made) < steps and not (made and made[-1] in ends):
        made.append(int(log_probabilities(model, prompt + made).argmax()))
    return made


def beam_by_hand(model: PreTrainedModel, prompt: list[int], width: int, steps: int) -> list[int]:
    """The best of `width` beams of one length; defined where no beam ends early."""
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(steps):
        longer = []
        for score, made in beams:
            values, tokens = log_probabilities(model, prompt + made).topk(2 * width)
            longer += [(score + float(v), [*made, int(t)]) for v, t in zip(values, tokens, strict=True)]
        beams = sorted(longer, reverse=True)[:width]
    return beams[0][1]


def test_the_prompt_is_the_model_cards() -> None:
    prompt = causal_lm.render(PROMPT, "zapatos {rojos}", "es", "de")
    assert prompt == "Translate the following Spanish sentence into German:\nzapatos {rojos} <de>"
    assert causal_lm.render(PROMPT, "x", "no", "zh").startswith("Translate the following Norwegian sentence")
    assert len(BACKENDS.defaults("transformers")["languages"]) == 28


def test_the_tokenizer_keeps_its_bos_and_has_the_real_layout(folder: Path) -> None:
    words, prompt = load_tokenizer(folder), encoded(folder)[0]
    assert prompt[0] == words.bos_token_id
    assert words.convert_tokens_to_ids("<0x0A>") in prompt
    assert words.decode(prompt, skip_special_tokens=True).endswith("\nblack bag <de>")


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_greedy_equals_one_by_one_by_hand(folder: Path, batch_size: int) -> None:
    settings = params(folder, batch_size=batch_size).own(Params)
    made = generator(folder, settings)
    ends = {made.eos, *new_lines(load_tokenizer(folder))}
    prompts = encoded(folder)
    assert made.generate(prompts) == [greedy_by_hand(made.model, prompt, ends, 12) for prompt in prompts]


def test_what_the_model_asks_for_is_not_done(folder: Path) -> None:
    plain, other = generator(folder, params(folder).own(Params)), AutoModelForCausalLM.from_pretrained(folder)
    other.generation_config = GenerationConfig(
        do_sample=True, temperature=5.0, repetition_penalty=3.0, num_beams=2, no_repeat_ngram_size=1
    )
    asking = TransformersGenerator(other, load_tokenizer(folder), params(folder).own(Params))
    assert asking.generate(encoded(folder)) == plain.generate(encoded(folder))


def test_greedy_stops_at_the_end_of_text_and_at_a_new_line(folder: Path) -> None:
    settings = params(folder).own(Params)
    plain = generator(folder, settings)
    prompts = encoded(folder)
    replies = plain.generate(prompts)
    token = replies[0][3]  # let the fourth token be the one that ends
    plain.config.eos_token_id = [token]
    shorter = plain.generate(prompts)
    assert shorter[0] == replies[0][: replies[0].index(token) + 1]
    assert all(short == reply[: len(short)] for short, reply in zip(shorter, replies, strict=True))
    assert load_tokenizer(folder).convert_tokens_to_ids("<0x0A>") in new_lines(load_tokenizer(folder))


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_beam_search_equals_beams_by_hand(folder: Path, steps: int) -> None:
    made = generator(folder, params(folder, decoding="beam", max_tokens=steps).own(Params))
    replies = made.generate(encoded(folder))
    expected = [beam_by_hand(made.model, prompt, 4, steps) for prompt in encoded(folder)]
    assert made.eos not in [token for reply in expected for token in reply]
    assert replies == expected


def test_a_reply_is_its_first_line_and_complete_where_the_model_ended_it(folder: Path) -> None:
    words = load_tokenizer(folder)

    def ids(text: str) -> list[int]:
        found: list[int] = words(text, add_special_tokens=False)["input_ids"]
        return found

    assert causal_lm.decode([*ids(" schwarze Tasche"), 2, *ids("x")], words) == Translation("schwarze Tasche")
    assert causal_lm.decode(ids("schwarze Tasche\nand more"), words) == Translation("schwarze Tasche")
    assert causal_lm.decode(ids("schwarze Tasche"), words) == Translation("schwarze Tasche", complete=False)
    assert causal_lm.decode([2], words) == Translation("")


def test_a_prompt_that_is_too_long_is_not_asked(folder: Path) -> None:
    settings = params(folder, max_length=60)
    translator = load_translator(settings, GLOSSARY)
    long, short = translator.translate(["x" * 100, "bag"], "en", "de")
    assert long == Translation("", complete=False)
    assert short == load_translator(settings, GLOSSARY).translate(["bag"], "en", "de")[0]
    assert short.text


def test_the_identity_holds_what_a_translation_depends_on(folder: Path, tmp_path: Path) -> None:
    def identity(where: Path = folder, **changes: object) -> str:
        return load_translator(params(where, **changes), GLOSSARY).identity

    prompt = "To {target_name}: {query}"
    assert identity() == identity(batch_size=9)
    others = [identity(prompt=prompt), identity(decoding="beam"), identity(max_tokens=9), identity(precision="bf16")]
    others += [identity(tiny_mistral.save(tmp_path, seed=2))]
    assert len({identity(), *others}) == 6
    pinned = {"model": "some/model", "revision": "a" * 40}
    assert "some/model@" + "a" * 40 in identity(**pinned)  # without a download


def test_a_model_that_is_not_there_is_one_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_translator(params(folder / "none"), GLOSSARY)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pinned = load_translator(params(folder, model="some/model", revision="a" * 40), GLOSSARY)
    with pytest.raises(InputError, match=r"some/model at a+: not in the local cache"):
        pinned.translate(["bag"], "en", "de")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"prompt": "{text}"}, "unknown field {text}"),
        ({"prompt": "Translate {query}"}, "needs {query}, and {target} or {target_name}"),
        ({"model": "nano"}, "nano does not translate"),
        ({"max_length": 12}, "max_length must be more than max_tokens"),
        ({"languages": ["en", "de"]}, "lack ar, es, fr, it, ja, ko, pl, pt, th"),
        ({"revision": "main"}, "40 hex digits"),
    ],
)
def test_a_mistake_in_the_params_is_named(folder: Path, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as raised:
        params(folder, **{"model": "some/model"} | changes)
    assert expected in raised.value.message


def stage(folder: Path, where: Path, monkeypatch: pytest.MonkeyPatch, backend: str, **changes: object) -> pl.DataFrame:
    """Run the stage on `QUERIES`, into German; all that it made, kept and dropped, as `query` and `translation`."""
    monkeypatch.chdir(where)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    values = params(folder, backend, **changes).model_dump()
    values |= {"languages": ["de"], "rows_per_language": REMOVED}
    shared = {key: value for key, value in values.items() if value is not REMOVED}
    tasks = {"qc": {"translate": {"rows_per_language": 100}}}
    YAML(typ="safe").dump({"seed": 1, "tasks": tasks, "translate": shared}, Path("params.yaml"))
    rows = [
        (f"{i}-{j}", "qc", "en", query, f"c{j}", 1, "original", None, query)
        for i, query in enumerate(QUERIES)
        for j in range(2)
    ]
    write_rows(Path("in/train.parquet"), pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row"))
    write_table(Path("in/held_out.parquet"), pl.DataFrame({"key": ["none"]}))
    arguments = ["qc", "--train", "in/train.parquet", "--held-out", "in/held_out.parquet"]
    arguments += ["--glossary", "none", "--out", "out", "--metrics", "metrics/qc.json"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    kept = read_table(Path("out/train.parquet")).filter(pl.col("origin") == "translated")
    parents = dict(zip((row[0] for row in rows), (row[3] for row in rows), strict=True))
    kept = kept.select(pl.col("parent_id").replace_strict(parents).alias("query"), translation="query").unique()
    return pl.concat([kept, read_table(Path("out/dropped.parquet")).select("query", "translation")]).sort("query")


REMOVED = object()


def test_the_stage_translates_each_query_once_and_as_by_hand(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    original = TransformersGenerator.generate

    def spy(self: TransformersGenerator, prompts: Sequence[list[int]]) -> list[list[int]]:
        asked.extend(prompts)
        return original(self, prompts)

    monkeypatch.setattr(TransformersGenerator, "generate", spy)
    made = dict(stage(folder, tmp_path, monkeypatch, "transformers").iter_rows())
    assert len(asked) == len(QUERIES)  # each is in two rows
    reference = generator(folder, params(folder).own(Params))
    ends = {reference.eos, *new_lines(load_tokenizer(folder))}
    for query, prompt in zip(QUERIES, encoded(folder), strict=True):
        reply = causal_lm.decode(greedy_by_hand(reference.model, prompt, ends, 12), load_tokenizer(folder))
        assert " ".join(made[query].split()) == " ".join(reply.text.split())
    asked.clear()
    assert dict(stage(folder, tmp_path, monkeypatch, "transformers").iter_rows()) == made
    assert asked == []  # all from the cache, without the weights


REQUESTS = pl.DataFrame(
    [("de", "en", f"query {i}") for i in range(10)], schema=["target", "language", "query"], orient="row"
)


def translate_until_killed(folder: Path, cache: Path, batches: int) -> None:
    translator = load_translator(params(folder), GLOSSARY)
    original, calls = translator.translate, []

    def translate(texts: Sequence[str], source: str, target: str) -> list[Translation]:
        calls.append(texts)
        made = original(texts, source, target)
        if len(calls) > batches:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    translator.translate = translate  # type: ignore[method-assign]
    run(REQUESTS, translator, WorkCache(cache), 3)


@pytest.mark.slow
def test_a_kill_loses_at_most_one_batch(folder: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=translate_until_killed, args=(folder, tmp_path, 2))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    translator, asked = load_translator(params(folder), GLOSSARY), []
    original = translator.translate

    def translate(texts: Sequence[str], source: str, target: str) -> list[Translation]:
        asked.extend(texts)
        return original(texts, source, target)

    translator.translate = translate  # type: ignore[method-assign]
    made = run(REQUESTS, translator, WorkCache(tmp_path), 3)
    assert asked == [f"query {i}" for i in range(6, 10)]
    assert made == load_translator(params(folder), GLOSSARY).translate(REQUESTS["query"].to_list(), "en", "de")


class StandInLLM:
    """vLLM's `LLM`, whose generation fails."""

    made: ClassVar[list[StandInLLM]] = []

    def __init__(self, **options: object) -> None:
        self.options = options
        self.no_usage_stats = os.environ.get("VLLM_NO_USAGE_STATS")
        self.open = True
        core = SimpleNamespace(shutdown=lambda: setattr(self, "open", False))
        self.llm_engine = SimpleNamespace(engine_core=core)
        self.made.append(self)

    def generate(self, *_: object, **__: object) -> None:
        assert self.open
        raise RuntimeError("the engine is out of memory")


def test_the_stage_ends_the_engine_of_vllm_on_an_error_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {name: lambda **options: options for name in ("SamplingParams", "TokensPrompt", "BeamSearchParams")}
    engine = SimpleNamespace(LLM=StandInLLM, **plain)
    for name, module in {"vllm": engine, "vllm.sampling_params": engine}.items():
        monkeypatch.setitem(sys.modules, name, module)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "babelshelf.translate.backends.vllm.generator", raising=False)
    monkeypatch.setattr("babelshelf.preflight.requirements.require", lambda *_: None)
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "")  # or what the backend sets would stay
    monkeypatch.delenv("VLLM_NO_USAGE_STATS")
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            stage(folder, tmp_path, monkeypatch, "vllm")
    finally:
        sys.modules.pop("babelshelf.translate.backends.vllm.generator")  # it knows the stand-in
    (engine,) = StandInLLM.made
    assert not engine.open
    assert engine.no_usage_stats == "1"
    assert engine.options["gpu_memory_utilization"] == BACKENDS.defaults("vllm")["gpu_memory_utilization"]
