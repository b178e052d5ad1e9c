"""The stage `data_report`: a report on the prepared data, `dvc repro data_report`.

`tables` reads the output of `prepare`; `texts`, `pairs`, `queries` and `languages` each check one aspect and return
`Finding`s; `build` makes the page and the metrics from them.
"""
