"""Export formats: a module each, found by its name; `babelshelf export ... --to <format>` chooses one.

A format has a docstring, whose first line lists it, and

- `SOURCES`: what it is made from, some of `lm` (a fine-tuned LM), `classifier`, `cross_encoder` (a student) and
  `data` (a training set);
- `LIBRARY`: the hub's name of the library that reads it, for the card;
- `write(source, folder)`: writes the files of the format into `folder`, which is there and empty. `source` is a
  `ExportedModel` (`babelshelf.commands.export.exported_model`) or a `ExportedPairs`
  (`babelshelf.commands.export.exported_pairs`);
- `usage(source) -> str`: Markdown for the card, how the other tool reads the folder.

All else is the same in each export: checks, the card, `thresholds.json` and `metrics.json` of a model. A format is
imported to learn what it is made from, so slow libraries are imported inside of functions.
"""
