"""Figures of a report as SVG text; series differ in colour, marker and dash, for print and colour-blind readers.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), without the two with too little contrast on a
light or a dark background.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from itertools import cycle
from textwrap import shorten
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from babelshelf.page.document import INK

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":")
LETTERS = 26  # of a name on an axis: longer names would leave no room for the plot
BINS = 40  # maximum of a histogram
WIDTH = 4.6  # inches, so that letters are some 10 pixels high on a phone

# A legend in one line above the plot, for short names.
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": 3, "fontsize": 9}

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # keep text as text: smaller, searchable, in the reader's font
    "text.parse_math": False,
    "svg.hashsalt": "babelshelf",  # reproducible ids
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#888888",
    "grid.alpha": 0.3,
    "legend.framealpha": 0,
    "lines.markersize": 5,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "legend.labelcolor"), INK
    ),
}


@dataclass
class _Canvas:
    axes: Axes
    svg: str = field(default="")


@dataclass(frozen=True)
class Bar:
    """A gain with its interval, in points, and the published gain or None."""

    name: str
    value: float
    low: float
    high: float
    published: float | None


def gains(bars: Sequence[Bar]) -> str:
    """Gains with their intervals, one below another."""
    with _drawn(height=0.34 * len(bars) + 1.2) as canvas:
        axes = canvas.axes
        for y, bar in enumerate(bars):
            axes.errorbar(
                bar.value, y, xerr=[[bar.value - bar.low], [bar.high - bar.value]],
                fmt="o", color=COLOURS[0], capsize=3, label="here, with its interval" if y == 0 else None,
            )  # fmt: skip
        published = [(bar.published, y) for y, bar in enumerate(bars) if bar.published is not None]
        if published:
            axes.plot(
                *zip(*published, strict=True), "D", mfc="none", color=COLOURS[1], label="published: dev, other data"
            )
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(bars)), [shorten(bar.name, LETTERS, placeholder=" …") for bar in bars])
        axes.set_ylim(len(bars) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("gain in F1, points")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=1, fontsize=9, handletextpad=0.3)
    return canvas.svg


def threshold(curve: pl.DataFrame, chosen: float, at: float, all_yes_f1: float) -> str:
    """F1 over the threshold on dev, with the chosen threshold and its F1 `at`."""
    with _drawn() as canvas:
        axes = canvas.axes
        axes.plot(curve["threshold"].to_numpy(), curve["f1"].to_numpy(), color=COLOURS[0], label="F1 on dev")
        axes.axhline(all_yes_f1, color=COLOURS[1], linestyle="--", label='"yes" to everything')
        axes.plot([chosen], [at], "D", color=INK, label=f"threshold {chosen:.3f}")
        axes.set_xlabel("threshold")
        axes.set_ylabel("F1")
        axes.set_xlim(0, 1)
        axes.legend(loc="lower left", fontsize=9)
    return canvas.svg


def languages(f1: Mapping[str, Mapping[str, float]], absent: Sequence[str]) -> str:
    """F1 by language, a series for each run; languages absent from train are marked."""
    names = sorted(next(iter(f1.values())), key=lambda name: (name in absent, name))
    labels = [f"{name} (absent)" if name in absent else name for name in names]
    with _dots(f1, dict(zip(names, labels, strict=True))) as canvas:
        canvas.axes.set_xlabel("F1 on test, per cent")
        canvas.axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=1, fontsize=9, handletextpad=0.1)
    return canvas.svg


def language_shares(shares: Mapping[str, Mapping[str, float]]) -> str:
    """Share of rows by language, a series for each split; a language that a split lacks has no point."""
    names = sorted({name for values in shares.values() for name in values})
    with _dots(shares, {name: name for name in names}) as canvas:
        canvas.axes.set_xlabel("share of rows, per cent")
        canvas.axes.set_xlim(left=0)
        canvas.axes.legend(**ABOVE)
    return canvas.svg


def lengths(by_split: Mapping[str, np.ndarray], long: int) -> str:
    """Histograms of lengths, one for each split; texts longer than `long` are in the last bin."""
    longest = max(1, min(long, max(int(sizes.max(initial=0)) for sizes in by_split.values())))
    width = -(-longest // BINS)  # an integer, so that each bin has the same number of lengths
    edges = np.arange(0, longest + width + 1, width)
    with _drawn() as canvas:
        axes = canvas.axes
        styles = zip(cycle(COLOURS), cycle(DASHES), strict=False)
        for (split, sizes), (colour, dash) in zip(by_split.items(), styles, strict=False):
            counts, _ = np.histogram(np.minimum(sizes, longest), edges)
            axes.stairs(100 * counts / max(1, len(sizes)), edges, color=colour, linestyle=dash, label=split)
        axes.set_xlabel("characters")
        axes.set_ylabel("share of texts, per cent")
        axes.set_xlim(0, edges[-1])
        axes.legend(**ABOVE)
    return canvas.svg


def reliability(curves: Mapping[str, pl.DataFrame]) -> str:
    """Reliability curves, one for each run; calibrated predictions are on the diagonal."""
    with _drawn() as canvas:
        axes = canvas.axes
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":", label="calibrated")
        styles = zip(cycle(COLOURS), cycle(MARKERS), cycle(DASHES), strict=False)
        for (run, curve), (colour, marker, dash) in zip(curves.items(), styles, strict=False):
            points = curve["p_yes"].to_numpy(), curve["positive_share"].to_numpy()
            axes.plot(*points, marker=marker, linestyle=dash, color=colour, label=run)
        axes.set_xlabel("p(yes), mean of a bin")
        axes.set_ylabel("share of relevant pairs")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.legend(loc="best", fontsize=9)
    return canvas.svg


def learning(curves: Mapping[str, pl.DataFrame]) -> str:
    """Training loss over epochs, a series for each model; moving average over a twentieth of the steps."""
    with _drawn() as canvas:
        axes = canvas.axes
        styles = zip(cycle(COLOURS), cycle(MARKERS), cycle(DASHES), strict=False)
        for (model, curve), (colour, marker, dash) in zip(curves.items(), styles, strict=False):
            smooth = curve["loss"].rolling_mean(max(1, curve.height // 20), min_samples=1)
            points = curve["epoch"].to_numpy(), smooth.to_numpy()
            every = max(1, curve.height // 8)
            axes.plot(*points, linestyle=dash, color=colour, marker=marker, markevery=every, label=model)
        axes.set_xlabel("epoch")
        axes.set_ylabel("training loss")
        axes.legend(loc="upper right", fontsize=9)
    return canvas.svg


def heat_map(
    values: Sequence[Sequence[float]], columns: Sequence[str], rows: Sequence[str], axes_labels: tuple[str, str]
) -> str:
    """Differences on a grid, each with its number; the colour is symmetric around zero.

    Args:
        values: shape (n_rows, n_columns); NaN leaves a cell empty.
        columns: names, left to right.
        rows: names, top to bottom.
        axes_labels: of the columns and of the rows.
    """
    grid = np.asarray(values, dtype=np.float64)
    most = float(np.nanmax(np.abs(grid))) or 1.0
    with _drawn(height=0.45 * len(rows) + 1.3) as canvas:
        axes = canvas.axes
        axes.pcolormesh(grid, cmap="PuOr_r", vmin=-2 * most, vmax=2 * most, alpha=0.75)  # half: letters stay legible
        for (row, column), value in np.ndenumerate(grid):
            if not np.isnan(value):
                axes.text(column + 0.5, row + 0.5, f"{value:+.2f}", ha="center", va="center", fontsize=9, color="black")
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=30, ha="right", fontsize=8)
        axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_xlabel(axes_labels[0])
        axes.set_ylabel(axes_labels[1])
    return canvas.svg


@contextmanager
def _dots(series: Mapping[str, Mapping[str, float]], labels: Mapping[str, str]) -> Iterator[_Canvas]:
    """A dot plot of shares in per cent, a row for each of `labels`, from top to bottom."""
    with _drawn(height=0.26 * len(labels) + 1.2) as canvas:
        axes = canvas.axes
        styles = zip(cycle(COLOURS), cycle(MARKERS), strict=False)
        for (one, values), (colour, marker) in zip(series.items(), styles, strict=False):
            points = [(100 * values[name], y) for y, name in enumerate(labels) if name in values]
            axes.plot(*zip(*points, strict=True), marker, color=colour, label=one, alpha=0.9)
        axes.set_yticks(range(len(labels)), list(labels.values()))
        axes.set_ylim(len(labels) - 0.5, -0.5)
        yield canvas


@contextmanager
def _drawn(height: float = 3.2) -> Iterator[_Canvas]:
    """Yield a canvas with axes to draw on; its `svg` is set when the context ends."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        canvas = _Canvas(figure.add_subplot())
        yield canvas
        stream = StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    svg = stream.getvalue()
    canvas.svg = re.sub(r"\s*\n\s*", "\n", svg[svg.index("<svg ") :]).strip()
