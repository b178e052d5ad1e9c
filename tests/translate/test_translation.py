"""Which rows are translated, what is dropped, and that finished translations outlive a kill."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from babelshelf.core.errors import InputError
from babelshelf.core.params import read, section
from babelshelf.core.rows import ROW_SCHEMA, read_rows, write_rows, write_table
from babelshelf.core.work_cache import WorkCache
from babelshelf.text.keys import key
from babelshelf.translate.checks import Case, Rules, failed_check, find_names
from babelshelf.translate.params import TranslateParams
from babelshelf.translate.translation import Translated, plan, run, translate_rows
from babelshelf.translate.translator import Translation, UnfinishedError, load_translator
from stages.translate import main

FIXTURE = Path(__file__).parents[2] / "tests" / "fixtures" / "glossary.tsv"
NANO = read(Path(__file__).parents[2] / "profiles" / "nano.yaml")["translate"]
PARAMS = NANO | {
    "backend": "lexicon",
    "glossary": str(FIXTURE),
    "languages": ["de", "ar"],
    "sources": ["en", "fr", "de"],
    "min_translated": 0.6,
    "batch_size": 2,
}


def params(**changes: object) -> TranslateParams:
    return section(TranslateParams, {"translate": PARAMS | {"rows_per_language": 100} | changes}, "translate", None)


def row(id_: str, language: str, query: str, label: int | None = 1, group: str | None = None) -> tuple[object, ...]:
    return (id_, "qc", language, query, f"candidate of {id_}", label, "original", None, group or query)


def table(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row")


def many(languages: dict[str, int], rows_a_group: int = 4) -> pl.DataFrame:
    """Groups by language, each with one query and rows of label 1, 0, 1, 0, ..."""
    return table(
        *(
            row(f"{language}-{group}-{i}", language, f"{language} query {group}", i % 2, f"{language}-{group}")
            for language, groups in languages.items()
            for group in range(groups)
            for i in range(rows_a_group)
        )
    )


def translated(rows: pl.DataFrame, folder: Path, held_out: Sequence[str] = (), **changes: object) -> Translated:
    settings = params(**changes)
    return translate_rows(
        rows,
        pl.Series("key", held_out, pl.String),
        translator=load_translator(settings, FIXTURE),
        cache=WorkCache(folder),
        settings=settings,
        seed=1,
    )


def test_the_plan_takes_whole_groups_in_proportion_to_their_language() -> None:
    planned = plan(many({"en": 60, "fr": 30}), params(rows_per_language=90), seed=1)
    for target in ("de", "ar"):
        chosen = planned.filter(target=target)
        assert chosen.group_by("group").len()["len"].unique().to_list() == [4]
        assert chosen["label"].mean() == 0.5
        assert dict(chosen.group_by("language").len().iter_rows()) == {"en": 60, "fr": 32}


def test_the_plan_follows_the_seed() -> None:
    rows = many({"en": 60})
    settings = params(rows_per_language=40)
    assert plan(rows, settings, seed=1).equals(plan(rows, settings, seed=1))
    assert set(plan(rows, settings, seed=1)["id"]) != set(plan(rows, settings, seed=2)["id"])


def test_the_plan_leaves_out_what_it_must_not_translate() -> None:
    derived = table(row("d", "en", "bag")).with_columns(origin=pl.lit("translated"), parent_id=pl.lit("x"))
    rows = pl.concat(
        [
            table(row("a", "de", "Tasche"), row("b", "en", "bag", None), row("c", "ko", "가방"), row("e", "fr", "sac")),
            derived,
        ]
    )
    pairs = plan(rows, params(), seed=1).select("id", "target").rows()
    assert sorted(pairs) == [("a", "ar"), ("e", "ar"), ("e", "de")]


def test_random_negatives_are_translated_with_their_positives() -> None:
    """Otherwise all rows of a translated language would be relevant."""
    positive = table(row("a", "en", "bag"))
    negative = positive.with_columns(
        id=pl.lit("a/random-1"), label=pl.lit(0, pl.Int8), origin=pl.lit("negative"), parent_id=pl.lit("a")
    )
    pairs = plan(pl.concat([positive, negative]), params(), seed=1).select("target", "label").rows()
    assert sorted(pairs) == [("ar", 0), ("ar", 1), ("de", 0), ("de", 1)]


def test_without_languages_nothing_is_translated(tmp_path: Path) -> None:
    rows = many({"en": 5})
    made = translated(rows, tmp_path, languages=[])
    assert made.rows.equals(rows)
    assert made.dropped.height == 0


def test_languages_beyond_the_demos_are_targets_too() -> None:
    assert params(languages=["sv", "ru"]).languages == ["sv", "ru"]
    case = Case("red bag", "красная сумка", "ru", ())
    assert failed_check(case, Rules(frozenset(), frozenset(), 0.6)) is None
    with pytest.raises(InputError, match="unknown language code 'xx'"):
        params(languages=["xx"])


def test_a_translated_row_keeps_label_candidate_and_group(tmp_path: Path) -> None:
    rows = table(row("1", "en", "black bag", 1, "g"), row("2", "en", "black bag", 0, "g"), row("3", "vi", "túi"))
    made = translated(rows, tmp_path, languages=["de"])
    assert made.rows.head(3).equals(rows)
    assert made.rows.tail(2).rows() == [
        ("1/de", "qc", "de", "schwarz Tasche", "candidate of 1", 1, "translated", "1", "g"),
        ("2/de", "qc", "de", "schwarz Tasche", "candidate of 2", 0, "translated", "2", "g"),
    ]
    assert made.counts["kept"] == {"de": {"queries": 1, "rows": 2}}


def test_what_a_check_drops_is_reported_and_counted(tmp_path: Path) -> None:
    rows = table(row("1", "en", "shiny red bag"), row("2", "en", "black shoes"), row("3", "en", "laptop"))
    made = translated(rows, tmp_path, held_out=[key("Schwarz Schuhe")], languages=["de"])
    assert made.rows.height == 3
    assert made.dropped.select("query", "translation", "reason").rows() == [
        ("shiny red bag", "shiny red Tasche", "untranslated"),
        ("black shoes", "schwarz Schuhe", "leak"),
        ("laptop", "Laptop", "unchanged"),
    ]
    dropped = {name: sizes["de"]["rows"] for name, sizes in made.counts["dropped"].items() if sizes["de"]["rows"]}
    assert dropped == {"unchanged": 1, "untranslated": 1, "leak": 1}
    assert made.counts["untranslated_share"] == {"de": pytest.approx(2 / 6)}


@pytest.mark.parametrize(
    ("query", "translation", "language", "untranslated", "failed"),
    [
        ("black bag", "schwarze Tasche", "de", (), None),
        ("black bag", " ?", "de", (), "empty"),
        ("black bag", "Bag, black", "de", (), "unchanged"),
        ("zyntavo black bag", "Zyntavo", "de", (), "unchanged"),
        ("case 3 x 40", "Hülle 3 x 4", "de", (), "numbers"),
        ("case 40", "غطاء ٤٠", "ar", (), None),
        ("bottle 500ml", "Flasche 500 l", "de", (), "units"),
        ("bottle 500ml", "زجاجة 500 مل", "ar", (), None),
        ("tv 55 inch", 'Fernseher 55"', "de", (), None),
        ("zyntavo case", "Hülle", "de", (), "brands"),
        ("zyntavo case", "غطاء Zyntavo", "ar", (), None),
        ("black bag", "haqiba", "ar", (), "script"),
        ("黒 バッグ", "schwarz バッグ", "de", (), "script"),
        ("black bag", "черная Tasche", "de", (), "script"),
        ("shiny new bag", "shiny new Tasche", "de", ("shiny", "new"), "untranslated"),
        ("zyntavo x200 5 cm bag", "Zyntavo X200 5 cm Tasche", "de", ("zyntavo", "x200", "5", "cm"), None),
        ("sneakers", "Turnschuhe!", "de", (), "leak"),
    ],
)
def test_checks(query: str, translation: str, language: str, untranslated: tuple[str, ...], failed: str | None) -> None:
    rules = Rules(frozenset({"zyntavo"}), frozenset({"turnschuhe"}), 0.6)
    assert failed_check(Case(query, translation, language, untranslated), rules) == failed


CHECKED = {"language_check": NANO["language_check"] | {"enabled": True}}


class Fixed:
    """A translator of sentences that says what it was told to."""

    identity = "fixed"
    counts: dict[str, int] = {}  # noqa: RUF012
    limits_length = True

    def __init__(self, replies: dict[str, Translation]) -> None:
        self.replies = replies

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        return [self.replies[text] for text in texts]


def test_another_language_and_a_cut_off_reply_are_dropped_where_the_params_say_so(tmp_path: Path) -> None:
    replies = {
        "comfortable shoes for women": Translation("des chaussures confortables pour femme"),  # French, not German
        "waterproof jacket": Translation("wasserdichte Jacke für Herren"),
        "bag": Translation("sac"),  # too short to tell
        "cheap laptop": Translation("günstiger günstiger günstiger", complete=False),
    }
    rows = table(*(row(str(i), "en", query) for i, query in enumerate(replies)))  # French is a source, without rows

    def dropped(folder: str, **changes: object) -> dict[str, str]:
        openai = TranslateParams.plugins.defaults("openai")
        settings = params(languages=["de"], backend="openai", openai=openai, **changes)
        made = translate_rows(
            rows,
            pl.Series("key", [], pl.String),
            translator=Fixed(replies),
            cache=WorkCache(tmp_path / folder),
            settings=settings,
            seed=1,
        )
        assert ("language" in made.counts["dropped"]) == settings.language_check.enabled
        return dict(made.dropped.select("query", "reason").iter_rows())

    cut = {"cheap laptop": "incomplete"}
    assert dropped("off") == cut
    assert dropped("on", **CHECKED) == cut | {"comfortable shoes for women": "language"}


def test_names_are_what_every_language_types_in_latin() -> None:
    queries = [("en", f"wireless zyntavo mouse {i}") for i in range(8)]
    queries += [
        ("ja", "zyntavo マウス"),
        ("ko", "Zyntavo 마우스 10cm"),
        ("ja", "wireless マウス"),
        ("ko", "wireless 마우스"),
    ]
    queries += [("ko", f"마우스 {i}") for i in range(4)]
    queries += [("ja", "quorvix once")]
    # zyntavo: 2 of 9 against 8 of 8 is too few; a name from here on
    more = [("ja", f"zyntavo {word}") for word in ("a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1")]
    frame = pl.DataFrame(queries, schema=["language", "query"], orient="row")
    assert find_names(frame) == frozenset()
    assert find_names(pl.concat([frame, pl.DataFrame(more, schema=frame.schema, orient="row")])) == {"zyntavo"}


class Recorder:
    """A translator that records what it is asked; `fail_after` texts it ends its process as a kill would."""

    identity = "recorder/1"
    counts: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, fail_after: int | None = None) -> None:
        self.calls: list[tuple[str, str, list[str]]] = []
        self.fail_after = fail_after

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        self.calls.append((source, target, list(texts)))
        if self.fail_after is not None and sum(len(asked) for *_, asked in self.calls) > self.fail_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return [Translation(f"{text} in {target}", ("left",)) for text in texts]


class Half:
    """A translator that fails on every second text of a call."""

    identity = "half/1"
    counts: dict[str, int] = {}  # noqa: RUF012

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        raise UnfinishedError("down", [None if i % 2 else Translation(text) for i, text in enumerate(texts)])


REQUESTS = pl.DataFrame(
    [(target, source, f"q{i}") for target, source, i in itertools.product(["de", "ar"], ["en", "fr"], range(5))],
    schema=["target", "language", "query"],
    orient="row",
)


def test_each_query_is_asked_once_in_batches_of_one_direction(tmp_path: Path) -> None:
    first, again = Recorder(), Recorder()
    made = run(REQUESTS, first, WorkCache(tmp_path), 2)
    assert [len(texts) for *_, texts in first.calls] == [2, 2, 1] * 4
    assert [translation.text for translation in made] == [f"{q} in {t}" for t, _, q in REQUESTS.iter_rows()]
    assert run(REQUESTS, again, WorkCache(tmp_path), 2) == made
    assert again.calls == []


def test_another_identity_finds_nothing_in_the_cache(tmp_path: Path) -> None:
    run(REQUESTS, Recorder(), WorkCache(tmp_path), 2)
    other = Recorder()
    other.identity = "recorder/2"
    run(REQUESTS, other, WorkCache(tmp_path), 2)
    assert len(other.calls) == 12


def test_what_a_failing_call_could_translate_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UnfinishedError, match="down"):
        run(REQUESTS, Half(), WorkCache(tmp_path), 4)
    rest = Recorder()
    rest.identity = Half.identity
    run(REQUESTS, rest, WorkCache(tmp_path), 20)
    assert sum(len(texts) for *_, texts in rest.calls) == REQUESTS.height - 2
    assert rest.calls[0][2] == ["q1", "q3", "q4"]


def test_a_killed_run_goes_on_from_its_last_batch(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=run, args=(REQUESTS, Recorder(fail_after=7), WorkCache(tmp_path), 2))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    rest = Recorder()
    run(REQUESTS, rest, WorkCache(tmp_path), 2)
    assert sum(len(texts) for *_, texts in rest.calls) == REQUESTS.height - 7


def write_many(folder: Path, name: str) -> None:
    cache = WorkCache(folder)
    for batch in range(50):
        cache.put_many({f"{name}-{batch}-{i}": "value" for i in range(20)})


@pytest.mark.slow
def test_two_processes_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    keys = [f"{name}-{batch}-{i}" for name in "ab" for batch in range(50) for i in range(20)]
    assert WorkCache(tmp_path).get_many(keys) == dict.fromkeys(keys, "value")


def test_the_stage_writes_the_same_files_from_a_full_and_an_empty_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    tasks = {"qc": {"translate": {"rows_per_language": 4}}}
    YAML(typ="safe").dump({"seed": 1, "tasks": tasks, "translate": PARAMS}, Path("params.yaml"))
    write_rows(Path("in/train.parquet"), table(row("1", "en", "black bag"), row("2", "fr", "sac inconnu", 0)))
    write_table(Path("in/held_out.parquet"), pl.DataFrame({"key": ["schwarz tasche"]}))
    results = []
    for _ in range(2):
        arguments = ["qc", "--train", "in/train.parquet", "--held-out", "in/held_out.parquet"]
        arguments += ["--glossary", str(FIXTURE), "--out", "out", "--metrics", "metrics/qc.json"]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        results.append([Path(path).read_bytes() for path in ("out/train.parquet", "metrics/qc.json")])
    assert results[0] == results[1]
    assert read_rows(Path("out/train.parquet"))["id"].to_list() == ["1", "2", "1/ar"]
    metrics = json.loads(Path("metrics/qc.json").read_text())
    assert metrics["dropped"]["leak"]["de"] == {"queries": 1, "rows": 1}
    assert metrics["dropped"]["untranslated"]["ar"]["rows"] == 1
    assert metrics["positive_share"]["after"]["ar"]["translated"] == 1.0
