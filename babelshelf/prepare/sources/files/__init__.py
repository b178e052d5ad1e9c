"""A user's own labelled pairs: CSV, TSV, JSON lines or Parquet, whatever its columns and labels are called.

`babelshelf init` writes the params; docs/sources/files.md explains them.
"""

from __future__ import annotations

from babelshelf.core.params import section
from babelshelf.pairs.params import FilesParams
from babelshelf.prepare.from_pairs import Pairs, of_pairs, read_rows
from babelshelf.prepare.input_files import input_files
from babelshelf.prepare.marketplace import Inputs, Marketplace
from babelshelf.prepare.params import SOURCES

TASKS = ("qc", "qi")
SECTION = r"""
tasks: [qc, qi] # that prepare.input has files of
qc:
  rows: "*" # pattern in the folder, of files whose rows are split by a column, or here; "" is none
  train: "" # patterns of files that are one split; "" is none
  dev: ""
  test: ""
  format: csv # csv, jsonl, json (an array) or parquet; gzip and zstd are found by themselves
  delimiter: "," # "\t" in TSV; may be longer, such as "::"
  quote: '"' # "" is none
  escape: "" # or "\\": a backslash before a quote or delimiter that is part of a cell
  skip_lines: 0 # above the header
  header: [] # names of the columns, of a file whose first row is data
  encoding: utf-8
  columns: {query: query, candidate: category_path, label: label, language: language, id: "", split: ""}
  language: "" # of all rows, where there is no column of languages
  language_map: {} # of values that are no languages: {us: en, uk: en}
  labels: # values are compared without case, and 1.0 is 1
    positive: ["1", "true", "yes"]
    negative: ["0", "false", "no"]
    positive_from: none # or, for graded relevance, a number: from there on positive, below negative
    missing: bad # or drop: a row without a label
    random_negatives: 0 # drawn for each positive; for files with positives alone, which may have no column of labels
  path_separator: ">" # what stands between the levels of a category path, which becomes " > "; "" is none
qi:
  rows: "*"
  train: ""
  dev: ""
  test: ""
  format: csv
  delimiter: ","
  quote: '"'
  escape: ""
  skip_lines: 0
  header: []
  encoding: utf-8
  columns: {query: query, candidate: item_title, label: label, language: language, id: "", split: ""}
  language: ""
  language_map: {}
  labels:
    positive: ["1", "true", "yes"]
    negative: ["0", "false", "no"]
    positive_from: none
    missing: bad
    random_negatives: 0
  path_separator: ""
split:
  names: {train: [train, training], dev: [dev, val, valid, validation], test: [test, testing]} # values of columns.split
  dev_share: 0.1 # of query groups, where the files give no split
  test_share: 0.15
  holdout_languages: [] # kept out of train, as a stand-in for languages without labels
  leaks: error # error, or drop: rows whose query another split holds, from train, then from dev
max_bad_share: 0.0 # of rows; up to it, bad rows are dropped and written to data/original/dropped.csv
missing_candidate: drop # or bad
conflicts: keep # drop or majority: what becomes of a pair with both labels
long: {query: 200, candidate: 500} # characters; longer texts are counted
longest_query: 1000 # characters; a longer one is a bad row: lower it where sft.max_length is below 512
"""
Params = FilesParams


def usual() -> FilesParams:
    """The params at their usual values, where params.yaml has no such section."""
    return section(Params, {"prepare.files": SOURCES.defaults("files")}, "prepare.files", None)


def read(inputs: Inputs, settings: FilesParams, seed: int) -> Marketplace:
    """Read the files of each task, and cut what they don't split.

    Args:
        inputs: a file or folder for each task.
        settings: the mapping of columns and labels, splits, and policies.
        seed: of the cut.

    Raises:
        InputError: files are missing or can't be read, or `marketplace` says why their rows won't do.
    """
    return of_pairs(read_pairs(inputs, settings), seed)


def read_pairs(inputs: Inputs, settings: FilesParams) -> Pairs:
    """Read the files of each task; raises InputError where files are missing or can't be read."""
    return Pairs(read_rows(inputs, settings), settings, inputs=input_files(inputs, settings))
