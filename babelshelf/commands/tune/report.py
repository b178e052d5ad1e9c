"""What a search found, as lines for the terminal and as a page with a picture of the window and the share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from babelshelf.commands.tune.gains import LOSS, UNCLEAR, Estimate, StepGain, interval, points
from babelshelf.commands.tune.recipe import describe
from babelshelf.commands.tune.run import Result
from babelshelf.core.files import replacing
from babelshelf.evaluate.metric_names import HEADINGS, RESAMPLED
from babelshelf.page import figures
from babelshelf.page.cells import NONE
from babelshelf.page.document import Block, Document, Figure, ReportSection, Table, Text, html, standalone

# Where the classifier can't stand in for an LM; docs/tune.md says what was measured.
CAVEAT = (
    "The classifier stands in for the model that you will train: a frozen encoder with a linear head. It ranks recipes "
    "by what they do to such a model. On one of two real data sets Gemma 3 270M lost four to five times as much as it "
    "by wrong labels, and gained more by a filter; the other steps were too close to compare. Check the recommended "
    "recipe with your own LM: docs/tune.md."
)


def lines(task: str, result: Result) -> Iterator[str]:
    """For the terminal."""
    yield _rows(task, result)
    for name, why in result.left_out.items():
        yield f"  {name}: left out: {why}"
    for part in result.cut:
        yield f"  no time for {part}; --minutes gives more"
    table = gains_table(task, result)
    yield ""
    yield from _aligned([table.headings, *table.rows])
    yield ""
    yield from verdicts(result)
    yield f"chosen on all rows: {describe(result.search.chosen)}"
    yield f"recommended: {describe(result.recommended)}"
    yield _limits(result)
    yield CAVEAT


def gains_table(task: str, result: Result) -> Table:
    """The gain of each step in average precision, and the level it starts from."""
    headings = ["step", "AP before", "gain", "interval", "smallest visible", "absent: gain", "interval", "verdict"]
    rows = []
    for gain in result.gains:
        overall = gain.overall["average_precision"]
        absent = gain.absent["average_precision"] if gain.absent else None
        rows.append(
            [
                gain.name,
                f"{100 * overall.before:.1f}",
                *_cells(overall),
                f"{100 * overall.smallest:.2f}",
                *(_cells(absent) if absent else (NONE, NONE)),
                verdict(gain),
            ]
        )
    return Table(f"{task}: what each step gains by itself and together, in points of average precision", headings, rows)


def verdict(gain: StepGain) -> str:
    """In all languages, and in the absent ones where that differs."""
    overall = gain.overall["average_precision"].verdict
    absent = gain.absent["average_precision"].verdict if gain.absent else overall
    return overall if absent == overall else f"{overall}; absent: {absent}"


def verdicts(result: Result) -> Iterator[str]:
    """A sentence for each step without a gain, and for each calibration method."""
    for gain in result.gains:
        overall = gain.overall["average_precision"]
        if overall.smallest == 0:
            yield f"{gain.name}: the original rows were chosen in each fold, so there is nothing to compare"
        elif overall.verdict == UNCLEAR:
            seen = f"{100 * overall.smallest:.2f} points could not have been seen (power 80 %)"
            yield f"{gain.name}: no evidence of a gain or a loss on all rows; one below some {seen}. {_agreement(gain)}"
        elif overall.verdict == LOSS:
            yield f"{gain.name}: a loss on these pairs. {_agreement(gain)}"
    for calibration in result.calibrations:
        yield (
            f"calibrate.method {calibration.method}: F1 {100 * calibration.after:.1f}, with a shared threshold "
            f"{100 * calibration.before:.1f}: {points(calibration.gain)}, {calibration.verdict}"
        )


def write_page(results: Mapping[str, Result], out: Path) -> Path:
    """Write `tune.html` and its pictures into a folder; the path of the page."""
    document = Document("What each step gains on your pairs", [CAVEAT], [_section(*item) for item in results.items()])
    out.mkdir(parents=True, exist_ok=True)
    page = out / "tune.html"
    with replacing(page) as temporary:
        temporary.write_text(html(document), encoding="utf-8")
    for figure in document.figures():
        with replacing(out / f"{figure.name}.svg") as temporary:
            temporary.write_text(standalone(figure) + "\n", encoding="utf-8")
    return page


def _section(task: str, result: Result) -> ReportSection:
    blocks: list[Block] = [Text(_rows(task, result)), *(Text(f"No time for {part}.") for part in result.cut)]
    blocks.append(gains_table(task, result))
    blocks += [Text(line) for line in verdicts(result)]
    blocks.append(_metrics_table(task, result))
    blocks += _window_figure(task, result)
    blocks.append(_options_table(task, result))
    blocks.append(Text(f"Recommended: {describe(result.recommended)}. {_limits(result)}"))
    return ReportSection(f"tune-{task}", task, blocks)


def _metrics_table(task: str, result: Result) -> Table:
    headings = ["Step", *(f"{HEADINGS[metric]}{where}" for metric in RESAMPLED for where in ("", ", absent"))]
    rows = []
    for gain in result.gains:
        cells = [gain.name]
        for metric in RESAMPLED:
            for part in (gain.overall, gain.absent):
                cells.append(points(part[metric]) if part and metric in part else NONE)
        rows.append(cells)
    return Table(
        f"{task}: gains in all metrics, in points; F1 and MCC at thresholds tuned on other folds", headings, rows
    )


def _options_table(task: str, result: Result) -> Table:
    before = _original(result)
    rows = [
        [option.step, option.label, f"{100 * value:.1f}", f"{100 * (value - before):+.2f}"]
        for option, value in result.grid
        if option is not None
    ]
    caption = f"{task}: all options on {result.rungs[0]:,} training rows, which choose what goes on; without intervals"
    return Table(caption, ["Step", "Option", "AP", "Gain"], rows, text_columns=2)


def _window_figure(task: str, result: Result) -> list[Block]:
    """Gain over window and share, on the lowest rung."""
    before = _original(result)
    cells = {
        (option.values["window"], option.values["share"]): value - before
        for option, value in result.grid
        if option is not None and option.step == "negatives"
    }
    if not cells:
        return []
    windows = sorted({window for window, _ in cells})
    shares = sorted({share for _, share in cells}, reverse=True)
    values = [[100 * cells.get((window, share), float("nan")) for window in windows] for share in shares]
    names = [f"{first:,}–{last:,}" for first, last in windows]
    svg = figures.heat_map(values, names, [f"{share:g}" for share in shares], ("ranks", "positive share"))
    caption = (
        f"{task}: gain in AP, in points, of negatives from a window of ranks with a positive share, on "
        f"{result.rungs[0]:,} training rows; single values have no intervals."
    )
    alt = "; ".join(f"ranks {w[0]} to {w[1]}, share {s:g}: {100 * v:+.2f}" for (w, s), v in cells.items())
    return [Figure(f"window-{task}", alt, caption, svg)]


def _original(result: Result) -> float:
    return next(value for option, value in result.grid if option is None)


def _rows(task: str, result: Result) -> str:
    data, languages = result.data, result.data.languages
    hidden = sorted({frozenset(split.absent) - set(data.absent) for split in result.scopes[0].splits}, key=sorted)
    left_out = ", then ".join(" ".join(sorted(one)) for one in hidden if one)
    return (
        f"{task}: {data.rows.height:,} rows of train and dev, {data.rows['group'].n_unique():,} query groups; "
        f"labels in {len(languages)} languages"
        + (f"; absent from train: {' '.join(data.absent)}" if data.absent else "")
        + (f"; left out in turn, as if absent: {left_out}" if left_out else "")
        + f"; training rows of the rungs: {', '.join(f'{rows:,}' for rows in result.rungs)}; "
        f"{result.seconds / 60:.1f} minutes"
    )


def _agreement(gain: StepGain) -> str:
    return f"Its search chose it in {gain.chosen} of {gain.folds} folds."


def _limits(result: Result) -> str:
    folds = result.gains[0].folds if result.gains else 0
    return (
        f"One seed, {folds} outer folds: intervals hold the choice of rows, folds and recipe, not another seed; "
        "those of the steps hold together at 95 %. Test was not read."
    )


def _cells(estimate: Estimate) -> tuple[str, str]:
    return f"{100 * estimate.value:+.2f}", interval(estimate)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()
