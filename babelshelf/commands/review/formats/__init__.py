"""Formats of other tools: `babelshelf review --export FILE --format <format>` and `--import`.

A format is a module of this folder; nothing lists them. It has a docstring, whose first line says what the format is,
and two functions:

    write(items: Sequence[ReviewItem], file: Path) -> None
    read(file: Path) -> Iterator[tuple[str, Decision]]

`write` makes a file of rows to decide on, as the tool imports it. `read` gives the decisions in a file that the tool
exported, with the names of the people who made them ("" where the file has none), and raises `InputError`, with the
place in the file, where it is not in the format.
"""
