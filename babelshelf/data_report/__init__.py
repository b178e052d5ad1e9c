"""A report of what the data is like before any work is put into it: `dvc repro data_report`.

`tables` reads what `prepare` wrote; `texts`, `pairs`, `queries` and `languages` each look for one kind of thing and
give `Finding`s; `build` makes the page and the metrics of them.
"""
