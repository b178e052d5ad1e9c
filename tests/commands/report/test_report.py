"""The report: what it says of runs whose gains are known, and what the page must be like."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes
from scipy.stats import ttest_1samp
from sklearn.metrics import f1_score

from babelshelf.cli import main
from babelshelf.commands.ladder.comparison import RESAMPLES, Settings, language_gains, steps
from babelshelf.commands.ladder.runs import ladder_runs
from babelshelf.commands.ladder.verdicts import gain, verdict
from babelshelf.commands.report.build import compose, write
from babelshelf.core.errors import InputError
from babelshelf.evaluate.bootstrap import Difference, Pair, paired_difference
from babelshelf.evaluate.significance import holm, mcnemar
from babelshelf.page import figures
from babelshelf.page.document import Document, ReportSection, Table, Text, html, markdown, plain
from tests.helpers import report_runs

QUICK = Settings(confidence=0.95, seed=1, bins=10, resamples=200)
NO_RECORDS = report_runs.records().clear()
VOID = {"meta", "br", "img", "link", "hr", "path", "use", "rect", "circle"}


class Tree(HTMLParser):
    """Checks that tags are closed in turn, and gathers ids, links and tables' widths."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src", "xlink:href"}:
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def document() -> Document:
    ladder = report_runs.ladder(3, n=390, seeds=(1, 2), note="Its words are rare in test.")
    return compose(ladder, report_runs.nothing(), ["qc", "qi"], QUICK, report_runs.records())


def table(document: Document, caption: str) -> Table:
    found = [
        block
        for section in document.sections
        for block in section.blocks
        if isinstance(block, Table) and block.caption.startswith(caption)
    ]
    assert len(found) == 1, [block.caption for block in found]
    return found[0]


def texts(document: Document) -> str:
    return "\n".join(block.text for s in document.sections for block in s.blocks if isinstance(block, Text))


def test_a_step_is_the_paired_difference_of_its_runs() -> None:
    ladder = report_runs.ladder(2, n=390)
    first, second, not_run = steps(ladder.rows, ladder.runs, "qc", QUICK)
    a, b = (ladder.runs[name][1].predictions("qc", "test") for name in ("row0", "row1"))
    assert a is not None
    assert b is not None
    assert second.gain is not None
    assert second.gain.by_metric == paired_difference(Pair(a, b), resamples=200, confidence=0.95, seed=1)
    assert second.published == pytest.approx(0.25)
    assert (first.gain, not_run.gain, dict(not_run.runs)) == (None, None, {})


def test_several_seeds_are_averaged_with_the_interval_of_queries_and_seeds() -> None:
    ladder = report_runs.ladder(2, n=390, seeds=(1, 2, 3))
    first, second = steps(ladder.rows, ladder.runs, "qc", QUICK)[:2]
    assert second.gain is not None
    found = second.gain.by_metric["f1"]
    gains = [second.values[seed][0] - first.values[seed][0] for seed in (1, 2, 3)]
    expected = ttest_1samp(gains, 0).confidence_interval(0.95)  # each seed has a test set of its own
    assert second.gain.seeds == (1, 2, 3)
    assert found.value == pytest.approx(np.mean(gains))
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.2)  # groups have equal names


def test_groups_of_one_test_set_are_drawn_once_for_all_seeds() -> None:
    """Seeds that answer one test set alike are no more evidence than one of them."""
    ladder = report_runs.ladder(2, n=390)
    repeated = {name: dict.fromkeys((1, 2, 3), by_seed[1]) for name, by_seed in ladder.runs.items() if by_seed}
    single, several = (steps(ladder.rows[:2], runs, "qc", QUICK)[1].gain for runs in (ladder.runs, repeated))
    assert single is not None
    assert several is not None
    one, three = single.by_metric["f1"], several.by_metric["f1"]
    assert three.value == pytest.approx(one.value)
    assert three.high - three.low == pytest.approx(one.high - one.low, rel=0.1)


def test_mcnemars_p_is_by_query_group_and_corrected_for_the_number_of_rows() -> None:
    ladder = report_runs.ladder(3, n=390)
    found = [step.gain for step in steps(ladder.rows, ladder.runs, "qc", QUICK) if step.gain is not None]
    tables = [ladder.runs[f"row{i}"][1].predictions("qc", "test") for i in range(3)]
    assert tables[0] is not None
    expected = [mcnemar(a, b).p for a, b in pairwise(tables)]  # type: ignore[arg-type]
    assert [gain.corrected_p for gain in found] == list(holm({"1": expected[0], "2": expected[1]}).values())


def test_only_seeds_of_both_rows_make_a_gain() -> None:
    ladder = report_runs.ladder(2, n=390, seeds=(1, 2))
    runs = dict(ladder.runs) | {"row1": {2: ladder.runs["row1"][2]}}
    step = steps(ladder.rows, runs, "qc", QUICK)[1]
    assert step.gain is not None
    assert step.gain.seeds == (2,)
    runs["row1"] = {3: report_runs.run("row1", n=390, signal=0.3, seed=3)}
    assert steps(ladder.rows, runs, "qc", QUICK)[1].gain is None


def test_runs_on_different_test_rows_have_no_gain_and_both_are_named() -> None:
    ladder = report_runs.ladder(2, n=390)
    runs = dict(ladder.runs) | {"row1": {1: report_runs.run("row1", n=351, signal=0.3)}}
    step = steps(ladder.rows, runs, "qc", QUICK)[1]
    assert (step.gain, step.incomparable_seeds) == (None, (1,))
    document = compose(report_runs.Ladder(ladder.rows, runs, 1), report_runs.nothing(), ["qc"], QUICK, NO_RECORDS)
    warning = "Warning: row1 and row0 were run on different test rows (seed 1), which make no gain; run both again."
    assert warning in texts(document)
    assert warning in document.lead
    assert "Warning: row0 and row1 were run on different test rows: no gains; run both again." in texts(document)


LOCK = """
schema: '2.0'
stages:
  prepare:
    cmd: x
    deps: [{{path: babelshelf/text/keys.py, md5: {code}}}, {{path: outside.csv, md5: {data}}}]
    params: {{params.yaml: {{seed: {seed}, sft: {{epochs: {epochs}, lora: {{r: {rank}}}}}}}}}
    outs: [{{path: data/original, md5: {made}.dir}}]
  sft:
    cmd: x
    deps: [{{path: data/original/qc/train.parquet, md5: {made}}}]
"""


@pytest.mark.parametrize(
    ("changes", "confounders"),
    [
        ({}, ()),
        ({"code": "b"}, ("babelshelf/text/keys.py",)),
        ({"data": "b", "epochs": 2}, ("outside.csv", "sft.epochs")),
        ({"made": "b", "rank": 2, "seed": 2}, ()),  # what a stage made, a param that the row sets, the seed
    ],
)
def test_runs_of_different_code_data_or_params_are_told(
    changes: dict[str, object], confounders: tuple[str, ...]
) -> None:
    same: dict[str, object] = {"code": "a", "data": "a", "made": "a", "epochs": 1, "rank": 1, "seed": 1}
    locks = [LOCK.format(**same), LOCK.format(**same | changes)]
    ladder = report_runs.ladder(2, n=39)
    rows = [ladder.rows[0], ladder.rows[1].model_copy(update={"set": {"sft.lora.r": 2}})]
    runs = {f"row{i}": {1: report_runs.run(f"row{i}", n=39, signal=0.3, lock=lock)} for i, lock in enumerate(locks)}
    assert steps(rows, runs, "qc", QUICK)[1].confounders == confounders
    document = compose(report_runs.Ladder(rows, runs, 1), report_runs.nothing(), ["qc"], QUICK, NO_RECORDS)
    warning = (
        f"Warning: row1 and row0 were run with different {', '.join(confounders)}: the gain is not of the step alone"
    )
    assert (warning in texts(document) and warning in " ".join(document.lead)) == bool(confounders)


def test_a_gain_of_several_seeds_has_its_deviation_and_one_of_a_single_seed_says_so(document: Document) -> None:
    row = table(document, "qc: F1 on test").rows[1]
    ladder = report_runs.ladder(3, n=390, seeds=(1, 2))
    first, second = steps(ladder.rows, ladder.runs, "qc", QUICK)[:2]
    gains = [second.values[seed][0] - first.values[seed][0] for seed in (1, 2)]
    assert row[3] == f"{100 * np.std(gains, ddof=1):.1f}"
    assert row[4] in {"gain", "no evidence", "loss"}
    single = report_runs.ladder(2, n=390)
    of_one = compose(single, report_runs.nothing(), ["qc"], QUICK, NO_RECORDS)
    assert table(of_one, "qc: F1 on test").rows[1][3:5] == ["–", "one seed"]
    verdicts = [row[-1] for row in table(of_one, "qc: test, in per cent, by language").rows]
    assert set(verdicts) == {"one seed"}
    assert "With one seed it covers the queries alone" in texts(of_one)


def test_gains_by_language_are_over_all_seeds(document: Document) -> None:
    rows = table(document, "qc: test, in per cent, by language").rows
    assert "one seed" not in {row[-1] for row in rows}


def test_gains_are_shown_by_language_group() -> None:
    ladder = report_runs.ladder(2, n=390, seeds=(1, 2))
    document = compose(ladder, report_runs.nothing(), ["qc"], QUICK, NO_RECORDS)
    rows = table(document, "qc: gains of the second of row0 and row1 by language group").rows
    assert [row[:2] for row in rows] == [
        ["all", ", ".join(sorted(report_runs.LANGUAGES))],
        ["in train", ", ".join(sorted(set(report_runs.LANGUAGES) - set(report_runs.ABSENT)))],
        ["absent", ", ".join(sorted(report_runs.ABSENT))],
    ]
    step = steps(ladder.rows, ladder.runs, "qc", QUICK)[1]
    assert step.gain is not None
    assert rows[0][2] == gain(step.gain.by_metric["f1"])


def test_the_shared_threshold_stands_beside_its_own_f1() -> None:
    own = report_runs.run("workspace", n=780, signal=0.1, method="per_language")
    document = compose(report_runs.Ladder([], {}, 1), own, ["qc"], QUICK, NO_RECORDS)
    row = table(document, "Thresholds, chosen on dev").rows[0]
    calibrated, dev = own.json("metrics/calibrate/qc.json"), own.parquet("data/predictions/held_out/qc/dev.parquet")
    assert calibrated is not None
    assert dev is not None
    shared = f1_score(dev["label"], dev["p_yes"] >= calibrated["threshold"])
    assert row[2] == "per_language"
    assert row[4:6] == [f"{100 * shared:.1f}", f"{100 * calibrated['f1']:.1f}"]
    assert row[4] != row[5]
    alt = next(figure.alt for figure in document.figures() if figure.name == "threshold-qc")
    assert f"with F1 {shared:.3f}" in alt


def test_the_marker_of_the_threshold_stands_at_its_own_f1(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    plot = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, *a, **kw: drawn.append(a) or plot(self, *a, **kw))
    curve = pl.DataFrame({"threshold": [0.0, 0.5, 1.0], "f1": [0.5, 0.6, 0.1]})
    figures.threshold(curve, 0.3, 0.55, 0.5)
    assert drawn[-1] == ([0.3], [0.55], "D")


def test_warnings_of_the_runs_that_are_shown_stand_at_the_top() -> None:
    """Chance predictions are no better than all-"yes"."""
    poor = report_runs.run("workspace", n=390, signal=0.0)
    document = compose(report_runs.Ladder([], {}, 1), poor, ["qc"], QUICK, NO_RECORDS)
    assert any(line.startswith("qc, run workspace: F1 is not clearly above") for line in document.lead)


def test_time_and_memory_are_by_stage_alone(document: Document) -> None:
    """Records of earlier commits are there, too, so that a sum by experiment would be of no run."""
    blocks = next(section.blocks for section in document.sections if section.anchor == "resources")
    assert [block.caption for block in blocks if isinstance(block, Table)] == ["By stage"]


def test_p_values_of_languages_are_corrected_for_their_number() -> None:
    a, b = (report_runs.run("x", n=1950, signal=s, noise=i).predictions("qc", "test") for i, s in enumerate((0.2, 0.3)))
    assert a is not None
    assert b is not None
    found = language_gains([[a, b]], QUICK)
    assert [part.language for part in found] == sorted(report_runs.LANGUAGES)
    assert all(part.corrected_p >= part.difference.p for part in found)
    smallest = min(found, key=lambda part: part.difference.p)
    assert smallest.corrected_p == pytest.approx(min(1, 13 * smallest.difference.p))


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (0.01, 0.03, 0.0, "gain"),
        (-0.03, -0.01, 0.0, "loss"),
        (-0.01, 0.03, 0.0, "no evidence"),
        (0.0, 0.03, 0.0, "no evidence"),
        (0.01, 0.03, 0.2, "no evidence"),
    ],
)
def test_a_gain_needs_an_interval_without_zero(low: float, high: float, p: float, expected: str) -> None:
    assert verdict(Difference((low + high) / 2, low, high, 0.01, seeds=2), p) == expected
    assert verdict(Difference((low + high) / 2, low, high, 0.01), p) == "one seed"


def test_no_gain_without_its_interval(document: Document) -> None:
    number, whole = r"[+-]\d+\.\d", r"[+-]\d+\.\d \[[+-]\d+\.\d, [+-]\d+\.\d\]"
    gains = 0
    for section in document.sections:
        for block in section.blocks:
            for column, heading in enumerate(block.headings if isinstance(block, Table) else ()):
                if "ain in" in heading or heading.startswith("Gain"):
                    cells = [row[column] for row in block.rows]  # type: ignore[union-attr]
                    assert all(
                        re.fullmatch(whole, cell.removesuffix(" †")) for cell in cells if re.match(number, cell)
                    ), heading
                    gains += sum(bool(re.match(number, cell)) for cell in cells)
    assert gains >= 40
    assert gain(Difference(0.0144, 0.005, 0.022, 0.01)) == "+1.4 [+0.5, +2.2]"


def test_the_ladder_lists_rows_with_seeds_and_those_not_run(document: Document) -> None:
    rows = table(document, "qc: F1 on test").rows
    assert [row[-1] for row in rows] == ["1, 2", "1, 2", "1, 2", "not run"]
    assert re.fullmatch(r"\d\d\.\d ± \d+\.\d", rows[0][1])
    assert [row[5] for row in rows[:3]] == ["–", "+0.25", "+0.25"]
    assert "row3, row3-seed2" in " ".join(document.lead)
    assert "Its words are rare in test." in texts(document)


def test_rows_without_a_gain_are_explained() -> None:
    ladder = report_runs.ladder(2, n=390)
    same = report_runs.run("row1", n=390, signal=0.2)  # as good as row0
    ladder.runs["row1"][1] = same  # type: ignore[index]
    ladder.runs["row0"][1] = same  # type: ignore[index]
    text = texts(compose(ladder, report_runs.nothing(), ["qc"], QUICK, report_runs.records()))
    assert "answers every test pair as the row that it builds on." in text


def test_a_row_with_the_same_signal_gives_no_evidence() -> None:
    ladder = report_runs.ladder(2, n=390, seeds=(1, 2))
    same = {seed: report_runs.run("row1", n=390, signal=0.2, noise=7, seed=seed) for seed in (1, 2)}
    alike = report_runs.Ladder(ladder.rows, dict(ladder.runs) | {"row1": same}, 1)
    document = compose(alike, report_runs.nothing(), ["qc"], QUICK, report_runs.records())
    assert [row[4] for row in table(document, "qc: F1 on test").rows] == ["–", "no evidence", "–"]
    assert "no evidence in F1" in texts(document)


def test_absent_languages_are_marked(document: Document) -> None:
    names = [row[0] for row in table(document, "qi: test, in per cent, by language").rows]
    assert sorted(names) == sorted(f"{x} (absent)" if x in report_runs.ABSENT else x for x in report_runs.LANGUAGES)


def test_each_step_has_examples_of_what_it_dropped_and_kept(document: Document) -> None:
    for caption in ("dropped, check “script”", "dropped, guard “equal_text”", "dropped, contradicted"):
        assert len(table(document, f"qc: {caption}").rows) == 10
    kept = [
        block for s in document.sections for block in s.blocks if isinstance(block, Table) and ": kept" in block.caption
    ]
    assert len(kept) == 6
    assert all(len(block.rows) == 10 for block in kept)


def test_rows_of_tables_are_as_wide_as_their_headings(document: Document) -> None:
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                assert {len(row) for row in block.rows} <= {len(block.headings)}, block.caption


def test_the_page_is_well_formed_and_needs_nothing_else(document: Document) -> None:
    page = html(document)
    tree = Tree(page)
    assert tree.open == []
    assert len(tree.ids) == len(set(tree.ids))
    assert tree.links
    for link in tree.links:
        assert link.startswith("#"), link
        assert link[1:] in tree.ids, link
    assert not {"script", "link", "img", "iframe", "object", "embed"} & tree.tags
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {f"#{name}" for name in tree.ids}
    assert "@import" not in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


def test_figures_have_a_caption_and_say_what_they_show(document: Document) -> None:
    tree = Tree(html(document))
    labels = [
        value for tag, name, value in tree.attributes if tag == "div" and name == "aria-label" and "svg" not in value
    ]
    figures = document.figures()
    assert len(figures) == len({figure.name for figure in figures}) == 10
    assert all(figure.alt and figure.caption and figure.alt in labels for figure in figures)


def test_queries_are_shown_and_not_run(document: Document, tmp_path: Path) -> None:
    page = html(document)
    assert "&lt;script&gt;alert(" in page
    assert "<script" not in page
    assert "<img" not in page
    twin = markdown(document)
    assert "<script" not in twin
    assert "<img" not in twin
    assert r"\*\*x\*\* \`y\`" in twin
    write(document, tmp_path / "report")
    for svg in (tmp_path / "report" / "figures").glob("*.svg"):
        assert "<script" not in svg.read_text(encoding="utf-8")


def test_the_twins_tables_have_one_number_of_cells_and_its_pictures_are_there(
    document: Document, tmp_path: Path
) -> None:
    write(document, tmp_path / "report")
    twin = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"^!\[.*\]\((.*)\)$", twin, flags=re.MULTILINE)
    assert len(pictures) == 10
    assert all((tmp_path / "report" / picture).is_file() for picture in pictures)
    for block in re.findall(r"(?:^\|.*\n)+", twin, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block


@pytest.mark.parametrize(
    ("text", "expected"), [("a|b", r"a\|b"), ("a\nb", "a b"), ("<b>&", "&lt;b&gt;&amp;"), ("_x_", r"\_x\_")]
)
def test_plain_text_in_markdown(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_the_same_runs_give_the_same_page(document: Document) -> None:
    ladder = report_runs.ladder(3, n=390, seeds=(1, 2), note="Its words are rare in test.")
    again = compose(ladder, report_runs.nothing(), ["qc", "qi"], QUICK, report_runs.records())
    assert html(again) == html(document)


@pytest.mark.slow
def test_thirteen_languages_and_ten_rows_take_little_space(tmp_path: Path) -> None:
    ladder = report_runs.ladder(10, n=3900)
    settings = Settings(confidence=0.95, seed=1, bins=10)
    assert settings.resamples == RESAMPLES == 10_000
    document = compose(ladder, report_runs.nothing(), ["qc", "qi"], settings, report_runs.records())
    write(document, tmp_path / "report")
    assert (tmp_path / "report" / "report.html").stat().st_size < 5 * 2**20


def test_without_a_ladder_the_workspace_is_shown() -> None:
    own = report_runs.run("workspace", n=390, signal=0.3)
    ladder = report_runs.Ladder([], {}, 1)
    document = compose(ladder, own, ["qc", "qi"], QUICK, report_runs.records().clear())
    assert {row[1] for row in table(document, "On test").rows} == {"workspace"}
    assert "The ladder" not in [section.title for section in document.sections]
    assert Tree(html(document)).open == []


def test_nothing_to_report_says_what_to_run() -> None:
    with pytest.raises(InputError, match="run `make repro`, or `babelshelf ladder`"):
        compose(report_runs.Ladder([], {}, 1), report_runs.nothing(), ["qc"], QUICK, report_runs.records())


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    result = CliRunner().invoke(main, ["report", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds other files" in result.output
    assert (tmp_path / "thesis.tex").exists()


def test_a_report_replaces_the_one_before(document: Document, tmp_path: Path) -> None:
    write(document, tmp_path / "report")
    write(Document("Other", [], [ReportSection("a", "A", [Text("b")])]), tmp_path / "report")
    assert (tmp_path / "report" / "report.md").read_text(encoding="utf-8").startswith("# Other")
    assert list((tmp_path / "report" / "figures").iterdir()) == []


def test_a_wrong_revision_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(InputError, match=r"^--rev no-such-commit: [^\n]*$"):
        ladder_runs(report_runs.ladder(1, n=39).rows, "no-such-commit")


def test_experiments_are_read_from_their_commits_and_dvcs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row with two seeds, one of which was run, and with a third; then the working tree and the cache are lost."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))

    def command(*arguments: str) -> str:
        program = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"] if arguments[0] != "dvc" else []
        run = [*program, *arguments] if program else [sys.executable, "-m", *arguments]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()

    command("init", "--quiet")
    command("dvc", "init", "--quiet")
    command("add", ".")
    command("commit", "--quiet", "-m", "start")
    head = command("rev-parse", "HEAD")
    simulated = report_runs.run("row0", n=39, signal=0.3)
    predictions, metrics = Path("data/predictions/held_out/qc"), Path("metrics/calibrate/qc.json")
    predictions.mkdir(parents=True)
    (predictions / "test.parquet").write_bytes(simulated.read("data/predictions/held_out/qc/test.parquet") or b"")
    metrics.parent.mkdir(parents=True)
    metrics.write_bytes(simulated.read("metrics/calibrate/qc.json") or b"")
    Path("params.yaml").write_text("seed: 7\ntasks: {qc: {}}\n")
    command("add", "params.yaml")
    command("commit", "--quiet", "-m", "other seed")
    for name in ("row0-seed7", "row0-x-seed7", "row00"):  # the latter two are no seeds of the row
        command("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", "HEAD")
    Path("params.yaml").write_text("seed: 1\ntasks: {qc: {}}\n")
    command("dvc", "add", "--quiet", str(predictions))
    command("add", ".")
    command("commit", "--quiet", "-m", "experiment")
    command("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/row0", "HEAD")
    command("reset", "--quiet", "--hard", head)
    assert not metrics.exists()

    rows = report_runs.ladder(1, n=39, seeds=(1, 2)).rows[:1]
    runs = ladder_runs(rows, "HEAD")
    assert {seed: run.name for seed, run in runs["row0"].items()} == {1: "row0", 7: "row0-seed7"}
    answers = runs["row0"][1].predictions("qc", "test")
    expected = simulated.predictions("qc", "test")
    assert answers is not None
    assert expected is not None
    assert answers.equals(expected)
    assert runs["row0"][1].json("metrics/evaluate/qc.json") is None
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(predictions, ignore_errors=True)
    assert ladder_runs(rows, head)["row0"][1].predictions("qc", "test") is None
