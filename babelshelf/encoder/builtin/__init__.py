"""Built-in encoders: a module each, found by its name, with weights from a Python package.

A module has a docstring, whose first line lists the encoder, and

- `WEIGHTS`, a `PackagedWeights`: the package and the SHA-256 of its files;
- `LANGUAGES`, ISO 639-1: the languages that the encoder was trained for;
- `load()`, which checks the weights and returns an `Encoder`.
"""
