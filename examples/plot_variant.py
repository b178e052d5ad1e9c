"""Read a training set and plot its rows by language and origin; run it after `make repro`.

python examples/plot_variant.py data/negatives/qc/train.parquet plot.png
"""

import sys

import matplotlib as mpl
import polars as pl

mpl.use("agg")  # draws into a file, without a display
from matplotlib import pyplot as plt

source, picture = sys.argv[1:]
rows = pl.read_parquet(source)  # the columns are described in babelshelf/core/rows.py
counts = rows.group_by("language", "origin").agg(rows=pl.len(), positive=pl.col("label").mean())
print(counts.sort("language", "origin"))

table = counts.pivot("origin", index="language", values="rows").fill_null(0).sort("language")
bottom = pl.Series([0] * table.height)
for origin in table.columns[1:]:
    plt.bar(table["language"], table[origin], bottom=bottom, label=origin)
    bottom += table[origin]
plt.ylabel("rows")
plt.title(source)
plt.legend()
plt.savefig(picture)
