"""The calibration methods: `calibrate.method` names a module of this folder, or `auto`; nothing lists them.

A method has, beside the parts of every plugin (`babelshelf.core.plugins`),

- `COMPLEXITY`, a number: `auto` prefers the smaller of two methods between which dev can't tell;
- `fit(rows, settings, seed) -> Calibration`: `rows` are those of dev that have a label, columns `language`, `group`,
  `label` and `p_yes`, with at least one label 1; `settings` is the section `calibrate`, and of it
  `settings.own(Params, name)` the method's own subsection.

Its module is imported wherever params are validated, so slow libraries are imported inside of functions.

A `Calibration` has a threshold and a logistic recalibration, each for all languages or by language: a method chooses
these numbers. It rounds them to `DIGITS`, as `write_json` does, so that they answer the same when they are read back.
"""
