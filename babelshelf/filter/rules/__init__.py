"""The rules of `filter`: `tasks.<task>.filter.rule` names a module of this folder; nothing lists them.

A rule has, beside the parts of every plugin (`babelshelf.core.plugins`), a function

    flagged(rows: pl.DataFrame, settings: FilterParams) -> pl.Series

- `rows`: the training rows that have a label, with the column `p_yes` beside those of `ROW_SCHEMA`; at least one;
- `settings`: the section `tasks.<task>.filter`, and of it `settings.own(Params, name)` the rule's own subsection;
- the result: Boolean, shape (n_rows,), without nulls: whether the label is taken to be wrong.

A rule only says which labels look wrong. What becomes of the flagged rows, how many a class may lose at most, and what
becomes of rows that were derived from them, is the same for all rules: `babelshelf.filter.self_validation`.

A module is imported wherever params are validated, so slow libraries are imported inside of functions.
"""
