"""`babelshelf score`: every row comes back in its order with the p(yes) of the stage `score`, whatever the format."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from babelshelf.cli import main
from babelshelf.commands.profile import commented, merge, round_trip
from babelshelf.commands.score import output, pairs_to_score, scoring
from babelshelf.commands.score.pairs_to_score import BLOCK, PairFile, ScoreOptions, find
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.prepare.sources.files import usual
from babelshelf.score.backends.transformers.scorer import TransformersScorer
from babelshelf.tables.calibration import Calibration, Recalibration
from babelshelf.trainer.models import save
from tests.helpers import tiny_lm
from tests.helpers.profiles import NANO

MAX_LENGTH = 64
ROWS = tiny_lm.rows()
TASK = ("--task", "qi")
PLAIN = ScoreOptions({}, "", {}, (), "")
THRESHOLD = 0.5


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `models`, where the recipe of params.yaml has its final model of qi."""
    folder = tmp_path_factory.mktemp("repository") / "models"
    tiny_lm.save_base(folder / "base" / "lm")
    prompt = {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH}
    save(tiny_lm.model(seed=2), folder / "sft" / "filtered" / "qi", prompt)
    return folder


@pytest.fixture(autouse=True)
def repository(root: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which a model of qi is trained and calibrated, as the working folder."""
    params = round_trip(NANO)
    fp32 = {"transformers": {"precision": "fp32", "weights": "fp32"}}
    merge(params, commented({"score": fp32, "tasks": {"qc": {"method": "sft"}, "qi": {"method": "sft"}}}))
    YAML().dump(params, tmp_path / "params.yaml")
    shutil.copytree(models, tmp_path / "models")
    write_json(tmp_path / "metrics" / "calibrate" / "qi.json", {"threshold": THRESHOLD})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def expected(models: Path) -> np.ndarray:
    """p(yes) of `ROWS` by the scorer itself."""
    p_yes = tiny_lm.scored(models / "base" / "lm", models / "sft" / "filtered" / "qi", tiny_lm.score_params(), ROWS)
    assert p_yes.std() > 0.01  # or any order of the rows would do
    return p_yes


def score(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def scored(out: Path) -> pl.DataFrame:
    """What a run wrote, whatever the format."""
    readers = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}
    raw = gzip.decompress(out.read_bytes()) if out.suffix == ".gz" else out.read_bytes()
    return readers[Path(out.name.removesuffix(".gz")).suffix](raw)


def write_csv(path: Path, rows: pl.DataFrame, **names: str) -> Path:
    rows.select("id", "language", "query", "candidate").rename(names).write_csv(path)
    return path


# --- formats ---


@pytest.mark.parametrize(  # each format once: what is written does not depend on what was read
    ("suffix", "out"),
    [
        ("parquet", "scored.csv"),
        ("csv", "scored.jsonl.gz"),
        ("csv.gz", "scored.parquet"),
        ("jsonl", "scored.csv.gz"),
        ("jsonl.gz", "scored.jsonl"),
    ],
)
def test_any_format_gives_the_numbers_of_the_stage_in_the_rows_order(
    suffix: str, out: str, tmp_path: Path, expected: np.ndarray
) -> None:
    path, plain = tmp_path / f"pairs.{suffix}", ROWS.select("id", "language", "query", "candidate")
    if suffix == "parquet":
        plain.write_parquet(path)
    else:
        text = plain.write_csv() if suffix.startswith("csv") else plain.write_ndjson()
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    result = score(path, tmp_path / out, *TASK)
    assert result.exit_code == 0, result.output
    found = scored(tmp_path / out)
    assert found.columns == ["row", "id", "language", "query", "candidate", "p_yes", "is_relevant", "reason"]
    assert found["row"].to_list() == list(range(1, ROWS.height + 1))
    assert found.select("id", "language", "query", "candidate").equals(plain)
    np.testing.assert_allclose(found["p_yes"].to_numpy(), expected, rtol=0, atol=1e-5)
    assert found["is_relevant"].to_list() == (found["p_yes"] >= THRESHOLD).to_list()
    assert found["is_relevant"].n_unique() == 2
    assert not (tmp_path / ".cache" / "score_file").exists() or not list((tmp_path / ".cache" / "score_file").iterdir())


def test_thresholds_of_languages_are_used(tmp_path: Path, expected: np.ndarray) -> None:
    write_json(tmp_path / "metrics" / "calibrate" / "qi.json", {"threshold": 0.0, "thresholds": {"de": 1.0}})
    languages = pl.Series("language", ["de" if number % 2 else "en" for number in range(ROWS.height)])
    result = score(write_csv(tmp_path / "pairs.csv", ROWS.with_columns(languages)), tmp_path / "scored.csv", *TASK)
    assert result.exit_code == 0, result.output
    assert scored(tmp_path / "scored.csv")["is_relevant"].to_list() == (languages == "en").to_list()


def test_a_recalibration_is_applied_and_its_probability_is_written(tmp_path: Path) -> None:
    calibration = Calibration(0.4, {}, Recalibration(0.5, 1.0), {"de": Recalibration(-2.0, 2.0)})
    write_json(tmp_path / "metrics" / "calibrate" / "qi.json", calibration.metrics())
    languages = pl.Series("language", ["de" if number % 2 else "en" for number in range(ROWS.height)])
    result = score(write_csv(tmp_path / "pairs.csv", ROWS.with_columns(languages)), tmp_path / "scored.csv", *TASK)
    assert result.exit_code == 0, result.output
    found = scored(tmp_path / "scored.csv")
    logits = np.log(found["p_yes"] / (1 - found["p_yes"])).to_numpy()
    p = 1 / (1 + np.exp(-np.where(languages == "de", 2 * logits - 2, logits + 0.5)))
    np.testing.assert_allclose(found["p_calibrated"].to_numpy(), p, rtol=0, atol=1e-4)
    assert found["is_relevant"].to_list() == (found["p_calibrated"] >= 0.4).to_list()


def test_what_the_results_warn_of_is_said(tmp_path: Path) -> None:
    poor = {"all": {"f1_low": 0.7, "f1_high": 0.8, "all_yes_f1": 0.75}, "languages": {}}
    write_json(tmp_path / "metrics" / "evaluate" / "qi.json", poor)
    result = score(write_csv(tmp_path / "pairs.csv", ROWS), tmp_path / "scored.csv", *TASK)
    assert result.exit_code == 0, result.output
    assert 'check: F1 is not clearly above answering "yes" to every pair (70.0–80.0 against 75.0)' in result.output


# --- columns ---


def test_columns_with_names_of_their_own_are_guessed_or_said(tmp_path: Path, expected: np.ndarray) -> None:
    names = {"query": "serach_term", "candidate": "x1", "language": "lang", "id": "x0"}
    path = write_csv(tmp_path / "pairs.csv", ROWS, **names)
    pl.read_csv(path).drop("x1").write_csv(tmp_path / "other.csv")
    refused = score(tmp_path / "other.csv", tmp_path / "scored.csv", *TASK)
    assert refused.exit_code == 1
    assert "which column is the candidate? No column looks like it; there are x0, lang, serach_term" in refused.output
    result = score(path, tmp_path / "scored.csv", *TASK, "--column", "candidate=x1", "--keep", "x0")
    assert result.exit_code == 0, result.output
    assert "  query column: serach_term; for example " in result.output
    found = scored(tmp_path / "scored.csv")
    assert found["x0"].to_list() == ROWS["id"].to_list()
    np.testing.assert_allclose(found["p_yes"].to_numpy(), expected, rtol=0, atol=1e-5)


def test_a_language_for_all_rows(tmp_path: Path) -> None:
    ROWS.select("query", "candidate").write_csv(tmp_path / "pairs.csv")
    refused = score(tmp_path / "pairs.csv", tmp_path / "scored.csv", *TASK)
    assert refused.exit_code == 1
    assert "no column says the language: say --language CODE" in refused.output
    result = score(tmp_path / "pairs.csv", tmp_path / "scored.csv", *TASK, "--language", "pt-BR")
    assert result.exit_code == 0, result.output
    assert set(scored(tmp_path / "scored.csv")["language"]) == {"pt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--column", "query=nothing"), "pairs.csv: --column: no column 'nothing'; there are id, language, query"),
        (("--column", "label=id"), "--column 'label': write ROLE=NAME; the roles are query, candidate, language, id"),
        (("--keep", "nothing"), "pairs.csv: --keep: no column 'nothing'; there are id, language, query, candidate"),
        (("--keep", "query"), "--keep 'query': the output has a column of that name"),
        (("--language", "xx"), "--language: unknown language code 'xx'"),
        (("--model", "models/none"), "models/none: no such file or folder: run `dvc repro calibrate@qi`"),
        (("--calibrated", "none.json"), "none.json: no such file or folder"),
    ],
)
def test_a_wrong_option_names_the_fix(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = score(write_csv(tmp_path / "pairs.csv", ROWS), tmp_path / "scored.csv", *TASK, *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "scored.csv").exists()


def test_the_threshold_of_another_variants_model_is_refused(tmp_path: Path) -> None:
    calibrated, record = Path("metrics/calibrate/qi.json"), Path("models/sft/filtered/qi/prompt.json")
    write_json(calibrated, {"threshold": THRESHOLD, "variant": "negatives"})
    write_json(record, read_json(record) | {"variant": "filtered"})
    path, out = write_csv(tmp_path / "pairs.csv", ROWS), tmp_path / "scored.csv"
    result = score(path, out, *TASK)
    assert result.exit_code == 1
    assert "its threshold is of the variant 'negatives', and models/sft/filtered/qi is of" in result.output
    assert not out.exists()
    write_json(calibrated, {"threshold": THRESHOLD, "variant": "filtered"})
    assert score(path, out, *TASK).exit_code == 0


@pytest.mark.parametrize("out", ["scored.txt", "pairs.csv", "models"])
def test_an_output_of_another_kind_or_the_input_itself_is_refused(tmp_path: Path, out: str) -> None:
    path = write_csv(tmp_path / "pairs.csv", ROWS)
    before = path.read_bytes()
    result = score(path, tmp_path / out, *TASK)
    assert result.exit_code == 1
    assert str(tmp_path / out) in result.output
    assert path.read_bytes() == before


def test_levels_of_a_path_are_written_as_the_model_knows_them(tmp_path: Path) -> None:
    pairs = pl.DataFrame({"query": ["red shoes"] * 2, "candidate": ["Shoes/Red", "Shoes > Red"], "language": "en"})
    pairs.write_csv(tmp_path / "pairs.csv")
    (tmp_path / "models" / "sft" / "negatives").mkdir()
    shutil.copytree(tmp_path / "models" / "sft" / "filtered" / "qi", tmp_path / "models" / "sft" / "negatives" / "qc")
    shutil.copy(tmp_path / "metrics" / "calibrate" / "qi.json", tmp_path / "metrics" / "calibrate" / "qc.json")
    result = score(tmp_path / "pairs.csv", tmp_path / "scored.csv", "--task", "qc", "--path-separator", "/")
    assert result.exit_code == 0, result.output
    found = scored(tmp_path / "scored.csv")
    assert found["candidate"].to_list() == ["Shoes > Red"] * 2
    assert found["p_yes"].n_unique() == 1


# --- rows that can't be scored ---

BAD = pl.DataFrame(
    {
        "query": ["", "good one", "red one", "word " * 80],
        "candidate": ["Frying Pans", "Frying Pans", "?!", "Frying Pans"],
        "language": ["en", "klingon", "en", "en"],
        "id": ["b1", "b2", "b3", "b4"],
    }
)
PROBLEMS = ["empty_query", "unknown_language", "empty_candidate", "long_query"]


def with_bad_rows(path: Path) -> Path:
    """Three good rows, four bad ones, the other good rows."""
    plain = ROWS.select(BAD.columns)
    pl.concat([plain.head(3), BAD, plain.tail(-3)]).write_csv(path)
    return path


def test_bad_rows_are_reported_and_stay_in_their_place(tmp_path: Path, expected: np.ndarray) -> None:
    result = score(with_bad_rows(tmp_path / "p.csv"), tmp_path / "s.parquet", *TASK, "--max-bad-share", "0.2")
    assert result.exit_code == 0, result.output
    assert "4 of 34 rows can't be scored (11.76%)" in result.output
    fix = "write a code of ISO 639-1 such as de, or a tag as pt-BR"
    assert f"p.csv, row 5 (line 6), column 'language': 'klingon': no known language: {fix}\n" in result.output
    assert "p.csv, row 7 (line 8), column 'query': 'word word" in result.output
    found = pl.read_parquet(tmp_path / "s.parquet")
    assert found["reason"].to_list() == [None] * 3 + PROBLEMS + [None] * 27
    assert found["id"].to_list()[2:8] == ["r2", "b1", "b2", "b3", "b4", "r3"]
    bad = found.filter(pl.col("reason").is_not_null())
    assert bad["p_yes"].null_count() == bad["is_relevant"].null_count() == 4
    good = found.filter(pl.col("reason").is_null())["p_yes"].to_numpy()
    np.testing.assert_allclose(good, expected, rtol=0, atol=1e-5)


def test_more_bad_rows_than_are_allowed_are_refused_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_bad_rows(tmp_path / "p.csv")
    monkeypatch.setattr(scoring, "score_file", None)
    result = score(path, tmp_path / "s.csv", *TASK)
    assert result.exit_code == 1
    assert "Error: " in result.output
    assert "4 of 34 rows can't be scored (11.76%): empty_candidate 1, empty_query 1, long_query 1" in result.output
    assert "allow more (--max-bad-share)" in result.output
    assert not (tmp_path / "s.csv").exists()


def test_a_record_that_cannot_be_read_is_a_row_too(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in ROWS.select("query", "candidate", "language").to_dicts()]
    (tmp_path / "p.jsonl").write_text("\n".join([lines[0], "{broken", *lines[1:]]), encoding="utf-8")
    result = score(tmp_path / "p.jsonl", tmp_path / "s.jsonl", *TASK, "--max-bad-share", "0.1")
    assert result.exit_code == 0, result.output
    assert "p.jsonl, row 2 (line 2): '{broken': no JSON object: write one object a line" in result.output
    found = scored(tmp_path / "s.jsonl")
    assert found["reason"].to_list() == [None, "not_json", *[None] * 29]
    assert found["p_yes"].null_count() == 1


def test_the_longest_query_is_what_a_prompt_can_hold(models: Path) -> None:
    """Where the scorer would give up, and nowhere else."""
    folders = models / "base" / "lm", models / "sft" / "filtered" / "qi"
    limit = scoring.prompt_limit(*folders, "qi")
    with scoring.load_scorer(*folders, tiny_lm.score_params()) as scorer:
        special = load_tokenizer(folders[0]).all_special_tokens[0]
        for query in (text * length for text in ("x", special) for length in range(1, 120)):
            row = ROWS.head(1).with_columns(query=pl.lit(query))
            try:
                scorer.encode(row)
            except InputError:
                fits = False
            else:
                fits = True
            assert limit(row).to_list() == [not fits]


# --- many rows ---


class Scripted:
    """Scores by the number in the query; breaks off at its `fatal`-th time, and remembers what it scored."""

    def __init__(self, fatal: int | None = None, chunk: int = 1) -> None:
        self.fatal = fatal
        self.chunk = chunk
        self.numbers: list[int] = []
        self.blocks = 0

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        numbers = rows["query"].str.slice(2).cast(pl.Int32)
        return pl.Series([[number] for number in numbers], dtype=pl.List(pl.Int32))

    def order(self, prompts: pl.Series) -> np.ndarray:
        return np.arange(len(prompts))[::-1]

    def score(self, prompts: pl.Series) -> np.ndarray:
        self.blocks += 1
        if self.blocks == self.fatal:
            raise MemoryError
        numbers = prompts.list.first()
        self.numbers += numbers.to_list()
        return numbers.to_numpy() / 1_000_000

    @contextmanager
    def loaded(self) -> Iterator[Scripted]:
        yield self


def no_limit(rows: pl.DataFrame) -> pl.Series:
    return pl.Series([False] * rows.height, dtype=pl.Boolean)


def numbered(path: Path, rows: int) -> PairFile:
    """A file whose queries are numbers."""
    pl.DataFrame({"query": [f"q {n}" for n in range(rows)], "candidate": "Pans", "language": "en"}).write_csv(path)
    return find(path, "qi", PLAIN, usual())


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 100])
def test_a_file_of_many_blocks_comes_back_in_order(tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_to_score, "BLOCK", 16)
    monkeypatch.setattr("babelshelf.pairs.text_stream.BLOCK", 500)  # bytes: the reader's blocks end elsewhere
    scripted = Scripted()
    parts = scoring.score_file(numbered(tmp_path / "p.csv", rows), rows, no_limit, scripted.loaded(), tmp_path / "done")
    output.write_answers(parts, Calibration(50 / 1_000_000), tmp_path / "s.csv")
    found = pl.read_csv(tmp_path / "s.csv")
    assert found["p_yes"].to_list() == [n / 1_000_000 for n in range(rows)]
    assert found["is_relevant"].to_list() == [n >= 50 for n in range(rows)]
    assert scripted.blocks == -(-rows // 16)


@pytest.mark.parametrize(("chunk", "scored"), [(16, 7), (17, 4), (48, 3), (1000, 1)])
def test_a_scorer_is_given_as_many_blocks_as_its_chunk_takes(
    chunk: int, scored: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_to_score, "BLOCK", 16)
    scripted = Scripted(chunk=chunk)
    pairs = numbered(tmp_path / "p.csv", 100)
    parts = scoring.score_file(pairs, 100, no_limit, scripted.loaded(), tmp_path / "done")
    assert pl.read_parquet(parts)["p_yes"].to_list() == [n / 1_000_000 for n in range(100)]
    assert scripted.blocks == scored


def test_a_killed_run_goes_on_from_its_finished_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_to_score, "BLOCK", 16)
    pairs, done = numbered(tmp_path / "p.csv", 100), tmp_path / "done"
    killed, resumed = Scripted(fatal=4), Scripted()
    with pytest.raises(MemoryError):
        scoring.score_file(pairs, 100, no_limit, killed.loaded(), done)
    table = pl.read_parquet(scoring.score_file(pairs, 100, no_limit, resumed.loaded(), done))
    assert len(killed.numbers) == 48
    assert set(killed.numbers).isdisjoint(resumed.numbers)
    assert table["p_yes"].to_list() == [n / 1_000_000 for n in range(100)]


@pytest.mark.parametrize("changed", ["nothing", "file", "params", "model", "option"])
def test_the_command_goes_on_where_it_was_killed_unless_something_changed(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_to_score, "BLOCK", 10)
    monkeypatch.setattr(TransformersScorer, "chunk", 10)
    path = write_csv(tmp_path / "pairs.csv", ROWS)
    asked: list[int] = []
    whole = scoring.scored

    def dying(rows: pl.DataFrame, *rest: Any) -> pl.DataFrame:  # noqa: ANN401
        asked.append(rows["row"][0])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(rows, *rest)

    monkeypatch.setattr(scoring, "scored", dying)
    assert score(path, tmp_path / "s.csv", *TASK).exit_code == 1
    assert not (tmp_path / "s.csv").exists()
    change(changed, tmp_path)
    again = score(path, tmp_path / "s.csv", *TASK, *(("--language", "de") if changed == "option" else ()))
    assert again.exit_code == 0, again.output
    assert asked == [1, 11, 21, *([21] if changed == "nothing" else [1, 11, 21])]
    assert scored(tmp_path / "s.csv")["row"].to_list() == list(range(1, 31))


def change(what: str, repository: Path) -> None:
    """Something that p(yes) depends on."""
    if what == "file":
        write_csv(repository / "pairs.csv", ROWS.reverse())
    if what == "params":
        text = (repository / "params.yaml").read_text(encoding="utf-8")
        (repository / "params.yaml").write_text(text.replace("batch_tokens: 8192", "batch_tokens: 4096"), "utf-8")
    if what == "model":
        tiny_lm.model(seed=3).save_pretrained(repository / "models" / "sft" / "filtered" / "qi")


@pytest.mark.slow
def test_the_command_goes_on_after_sigkill_to_the_same_file(repository: Path, root: Path) -> None:
    numbers = pl.DataFrame({"n": range(2 * BLOCK + 100)})
    pairs = numbers.select(
        pl.format("q {}", "n").alias("query"),
        pl.format("t {}", pl.col("n") % 1000).alias("candidate"),
        language=pl.lit("en"),
    )
    pairs.write_csv(repository / "pairs.csv")
    command = [sys.executable, "-m", "babelshelf.cli", "score", "pairs.csv", "scored.csv", "--task", "qi"]
    run = {"cwd": repository, "env": os.environ | {"PYTHONPATH": str(root)}, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **run)
    cache = repository / ".cache" / "score_file"
    while not list(cache.glob("*/*.parquet")):
        assert process.poll() is None, "it ended before a block was finished"
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (repository / "scored.csv").exists()
    (finished, *_) = sorted(cache.glob("*/*.parquet"))
    marked = pl.read_parquet(finished).with_columns(p_yes=pl.lit(0.125))
    marked.write_parquet(finished)
    subprocess.run(command, check=True, **run)
    found = scored(repository / "scored.csv")["p_yes"]
    assert found[: marked.height].to_list() == [0.125] * marked.height  # not scored again
    assert len(found) == pairs.height
    assert found[marked.height :].min() != found[marked.height :].max()


PROGRAM = """
import sys
from pathlib import Path
from babelshelf.commands.score import output, pairs_to_score, scoring
from babelshelf.commands.score.pairs_to_score import find
from babelshelf.pairs import text_stream
from babelshelf.prepare.sources.files import usual
from babelshelf.tables.calibration import Calibration
from tests.commands.score.test_scoring import PLAIN, Scripted, no_limit

text_stream.BLOCK, pairs_to_score.BLOCK = 1 << 19, 1024  # bytes and rows, so that the smaller file has many blocks too
path, rows, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
pairs = find(path, "qi", PLAIN, usual())
checked = scoring.check_file(pairs, no_limit, 0.0)
assert checked.rows == rows
parts = scoring.score_file(pairs, rows, no_limit, Scripted().loaded(), out.parent / "done")
output.write_answers(parts, Calibration(0.5), out)
status = Path("/proc/self/status").read_text().splitlines()  # ru_maxrss would be that of the process that forked
print(*[line.split()[1] for line in status if line.startswith("VmHWM")])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str, root: Path) -> None:
    peaks = {}
    for rows in (20_000, 200_000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        path, out = folder / f"pairs.{suffix}", folder / f"scored.{suffix}"
        title = "A title of a thousand characters, with a number of its own that makes it unique: " + "x" * 920
        numbers = pl.DataFrame({"n": range(rows)})
        pairs = numbers.select(pl.format("q {}", "n").alias("query"), pl.format(title + " {}", "n").alias("candidate"))
        pairs = pairs.with_columns(language=pl.lit("en"))
        if suffix == "csv":
            pairs.write_csv(path)
        elif suffix == "jsonl":
            pairs.write_ndjson(path)
        else:
            pairs.write_parquet(path, row_group_size=1024)  # the reader has at least a row group in memory
        command = [sys.executable, "-c", PROGRAM, str(path), str(rows), str(out)]
        environment = os.environ | {"PYTHONPATH": str(root)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
        peaks[rows] = int(done.stdout.split()[-1]) / 1024
    print(suffix, peaks)
    text = 180_000 * len(title) / (1 << 20)
    assert peaks[200_000] - peaks[20_000] < 0.75 * text, peaks  # to hold the whole file takes 1.4 times its text
