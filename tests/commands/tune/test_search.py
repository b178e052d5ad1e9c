"""A search finds what was built into the data, reads no test rows, and goes on where a killed one stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from babelshelf.commands.tune import calibrations, evaluation, gains
from babelshelf.commands.tune import run as run_module
from babelshelf.commands.tune import search as search_module
from babelshelf.commands.tune.gains import TOGETHER
from babelshelf.commands.tune.report import lines, write_page
from babelshelf.commands.tune.run import Result, search_recipe
from babelshelf.commands.tune.search import Search, Searcher
from babelshelf.commands.tune.splits import Scope
from babelshelf.core.errors import InputError
from tests.helpers import tune_data
from tests.helpers.tune_data import TEXTS, TopicEncoder, pairs, params


@pytest.fixture(autouse=True, scope="module")
def _few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gains, "RESAMPLES", 100)
        patch.setattr(calibrations, "RESAMPLES", 100)
        yield


def search(folder: Path, queries: int = 300, **options: float) -> Result:
    files = tune_data.write(pairs(queries, **options), folder / "data")
    return search_recipe("qi", files, params(), TopicEncoder(), minutes=10, seed=1)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search on pairs without label noise, whose nearest candidates are relevant to the same queries."""
    folder = tmp_path_factory.mktemp("clean")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BABELSHELF_ROOT", str(folder))
        return search(folder)


def test_the_window_moves_out_where_near_candidates_are_relevant(clean: Result) -> None:
    by_window: dict[int, list[float]] = {}
    for option, value in clean.grid:
        if option is not None and option.step == "negatives":
            by_window.setdefault(option.values["window"][0], []).append(value)
    assert max(by_window[1]) < max(by_window[20])
    assert clean.search.best["negatives"].values["window"][0] >= TEXTS - 1


def test_without_label_noise_no_filter_is_recommended(clean: Result) -> None:
    assert "filter" not in {option.step for option in clean.recommended}
    gain = next(gain for gain in clean.gains if gain.name == "filter")
    assert not gain.is_evident


def test_with_much_label_noise_some_filter_gains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELSHELF_ROOT", str(tmp_path))
    result = search(tmp_path, 400, noise=0.3)
    before = next(value for option, value in result.grid if option is None)
    assert max(value for option, value in result.grid if option is not None and option.step == "filter") > before


def test_the_report_names_each_step_and_what_was_left_out(clean: Result, tmp_path: Path) -> None:
    text = "\n".join(lines("qi", clean))
    assert "translation: left out: translate.languages is []" in text
    for name in ("negatives", "filter", TOGETHER, "no evidence", "Test was not read"):
        assert name in text
    page = write_page({"qi": clean}, tmp_path / "out")
    assert "<svg" in page.read_text(encoding="utf-8")
    assert (tmp_path / "out" / "window-qi.svg").is_file()


class FitCounter:
    """Counts what the evaluator fits; the fit of number `limit` is interrupted, as by a kill."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: int | None = None) -> None:
        self.count, self.limit = 0, limit
        self._fit = evaluation.Evaluator.fit
        counted = lambda *args: self._counted(*args)  # noqa: E731, PLW0108 - unlike a method, it is given the evaluator
        monkeypatch.setattr(evaluation.Evaluator, "fit", counted)

    def _counted(self, *args: Any) -> object:  # noqa: ANN401
        self.count += 1
        if self.count == self.limit:
            raise KeyboardInterrupt
        return self._fit(*args)

    def taken(self) -> int:
        """Fits since the last call."""
        count, self.count = self.count, 0
        return count


def test_a_killed_search_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELSHELF_ROOT", str(tmp_path))
    fits = FitCounter(monkeypatch, limit=12)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, 100)
    done, fits.limit = fits.taken() - 1, None
    first = search(tmp_path, 100)
    rest = fits.taken()
    assert search(tmp_path, 100).gains == first.gains
    assert fits.taken() == 0
    other = tmp_path / "other"
    monkeypatch.setenv("BABELSHELF_ROOT", str(other))
    assert search(other, 100).gains == first.gains
    assert fits.taken() == done + rest


def test_results_of_another_glossary_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELSHELF_ROOT", str(tmp_path))
    fits = FitCounter(monkeypatch)
    files, glossary = tune_data.write(pairs(100), tmp_path / "data"), tmp_path / "glossary.tsv"
    values = params()
    values["translate"]["glossary"] = str(glossary)
    made = []
    for names in ("en\tde\ntent\tZelt\n", "en\tde\ntent\tZelt\n", "en\tde\ntent\tZelt\nboat\tBoot\n"):
        glossary.write_text(names, encoding="utf-8")
        search_recipe("qi", files, values, TopicEncoder(), minutes=10, seed=1)
        made.append(fits.taken())
    assert made[0] == made[2] > made[1] == 0


def test_nothing_but_train_dev_and_the_catalogue_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELSHELF_ROOT", str(tmp_path))
    opened: list[Path] = []
    read = tune_data.pl.read_parquet

    def recorded(source: Path, *args: object, **options: object) -> object:
        opened.append(Path(source))
        return read(source, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("polars.read_parquet", recorded)
    search(tmp_path, 100)
    assert {file.name for file in opened} == {"train.parquet", "dev.parquet", "catalogue.parquet"}


def test_too_few_rows_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELSHELF_ROOT", str(tmp_path))
    with pytest.raises(InputError, match="query groups"):
        search(tmp_path, 20)


@pytest.mark.parametrize(("fits", "tried"), [(1, set()), (2, {"negatives"}), (6, {"negatives", "filter"})])
def test_nothing_is_begun_when_the_time_is_out_and_the_report_says_what_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: int, tried: set[str]
) -> None:
    """Time is out after some fits of the search: the original rows, then an option of each step in turn."""
    monkeypatch.setenv("BABELSHELF_ROOT", str(tmp_path))
    scores, done = evaluation.Evaluator.scores, []

    def counted(*args: object) -> object:
        done.append(1)
        return scores(*args)  # type: ignore[arg-type]

    def run(searcher: Searcher, scopes: Sequence[Scope]) -> list[Search]:
        done.clear()
        monkeypatch.setattr(evaluation.Evaluator, "scores", counted)
        monkeypatch.setattr(search_module.time, "monotonic", lambda: float("inf") if len(done) >= fits else 0.0)
        searches = whole_run(searcher, scopes)
        monkeypatch.undo()
        monkeypatch.setenv("BABELSHELF_ROOT", str(tmp_path))
        return searches

    whole_run = Searcher.run
    monkeypatch.setattr(Searcher, "run", run)
    monkeypatch.setattr(run_module, "_top_rows", lambda evaluator, *_, **__: int(evaluator.data.trainable.sum()))
    result = search(tmp_path, 100)
    assert {gain.name for gain in result.gains} == tried | {TOGETHER}
    assert len(result.rungs) == 1
    assert len(result.grid) <= fits
    text = "\n".join(lines("qi", result))
    assert "no time for options on" in text
    assert ("filter: left out: no time" in text) == ("filter" not in tried)
