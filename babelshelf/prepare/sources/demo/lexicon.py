"""Read and validate the demo marketplace's lexicon: the tab-separated tables that `data/demo/README.md` describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from babelshelf.core.errors import InputError
from babelshelf.core.languages import NAMES
from babelshelf.text import keys

SLOTS = ("brand", "model", "product", "colour", "material", "audience", "use", "size")
NAMED_KINDS = ("colour", "material", "audience", "use")

Names = Mapping[str, tuple[str, ...]]
"""`{language: names}`, the most usual name first."""


@dataclass(frozen=True)
class Product:
    """A product of a leaf category.

    Attributes:
        path: `Department > Group > Leaf`.
        names: what shoppers call it; no other product has one of these names in the same language.
        values: what can be said of it: `{kind: values}`, a size's kind being `size:<kind>`.
    """

    path: str
    names: Names
    values: Mapping[str, tuple[str, ...]]

    @cached_property
    def fact(self) -> str:
        """What only this product is."""
        return f"product:{self.path}|{self.names['en'][0]}"

    @cached_property
    def department(self) -> str:
        """First level of the path."""
        return self.path.split(" > ", maxsplit=1)[0]

    @cached_property
    def shelf(self) -> str:
        """First two levels of the path: what is on one shelf is easily confused."""
        return self.path.rsplit(" > ", 1)[0]


@dataclass(frozen=True)
class Brand:
    """An invented brand; `models` may be empty."""

    name: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """All tables.

    Attributes:
        products: in the order of the tables.
        attributes: `{(kind, value): names}`.
        sizes: `{"size:<kind>": templates}`, in which `{}` is the value.
        brands: `{department: brands}`.
        orders: `{language: slots}`, a permutation of `SLOTS` each.
        fillers: `{language: words}`.
        phrases: what sellers add to titles.
    """

    products: tuple[Product, ...]
    attributes: Mapping[tuple[str, str], Names]
    sizes: Mapping[str, Names]
    brands: Mapping[str, tuple[Brand, ...]]
    orders: Mapping[str, tuple[str, ...]]
    fillers: Mapping[str, tuple[str, ...]]
    phrases: tuple[str, ...]

    def phrasings(self, kind: str, value: str, language: str) -> tuple[str, ...]:
        """How an attribute or a size is said in a language, the most usual first."""
        if kind in self.sizes:
            return tuple(template.replace("{}", value) for template in self.sizes[kind][language])
        return self.attributes[kind, value][language]


@dataclass(frozen=True)
class _Row:
    cells: Mapping[str, str]
    where: str  # "<file>, line <n>", for errors

    def values(self, column: str) -> tuple[str, ...]:
        """The `|`-separated values of a cell; may be empty."""
        return tuple(value for value in map(keys.stored, self.cells[column].split("|")) if value)

    def required(self, column: str) -> tuple[str, ...]:
        values = self.values(column)
        if not values:
            raise InputError(f"{self.where}: the cell {column!r} is empty: give at least one value")
        return values

    def names(self) -> Names:
        return {language: self.required(language) for language in NAMES}


def read(folder: Path) -> Lexicon:
    """Read all tables of a folder.

    Raises:
        InputError: a file or column is missing, a line has too few or too many cells, a cell is empty, an attribute,
            size, slot or department is unknown, a path has not three levels, or two products or two attributes share
            a name.
    """
    attributes = _attributes(folder / "attributes.tsv")
    sizes, size_values = _sizes(folder / "sizes.tsv")
    known = {kind: tuple(value for k, value in attributes if k == kind) for kind in NAMED_KINDS} | size_values
    products = _products(folder / "products", known, attributes)
    departments = {product.department for product in products}
    orders, fillers = _languages(folder / "languages.tsv")
    return Lexicon(
        products=products,
        attributes=attributes,
        sizes=sizes,
        brands=_brands(folder / "brands.tsv", departments),
        orders=orders,
        fillers=fillers,
        phrases=tuple(keys.stored(line) for line in _lines(folder / "title_phrases.txt")),
    )


def _lines(file: Path) -> list[str]:
    """Lines of a file; empty ones at its end are left out."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; data/demo/README.md says what belongs there")
    try:
        return file.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 ({error}); save it as UTF-8") from error


def _table(file: Path, columns: tuple[str, ...]) -> list[_Row]:
    lines = _lines(file)
    header = lines[0].split("\t")
    missing = [column for column in columns if column not in header]
    if missing:
        raise InputError(f"{file}, line 1: missing column {missing[0]!r}; the columns are {', '.join(columns)}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(header):
            raise InputError(f"{file}, line {number}: {len(cells)} cells, but the header has {len(header)}")
        rows.append(_Row(dict(zip(header, cells, strict=True)), f"{file}, line {number}"))
    return rows


def _attributes(file: Path) -> dict[tuple[str, str], Names]:
    attributes: dict[tuple[str, str], Names] = {}
    rows = _table(file, ("kind", "value", *NAMES))
    _check_names(rows)
    for row in rows:
        kind, value = row.cells["kind"], row.cells["value"]
        if kind not in NAMED_KINDS:
            raise InputError(f"{row.where}: unknown kind {kind!r}; known are {', '.join(NAMED_KINDS)}")
        attributes[kind, value] = row.names()
    return attributes


def _sizes(file: Path) -> tuple[dict[str, Names], dict[str, tuple[str, ...]]]:
    """Templates and values by `size:<kind>`."""
    templates, values = {}, {}
    for row in _table(file, ("kind", "values", *NAMES)):
        kind = f"size:{row.cells['kind']}"
        templates[kind], values[kind] = row.names(), row.required("values")
        for language, names in templates[kind].items():
            if any("{}" not in name for name in names):
                raise InputError(f"{row.where}: a template of {language!r} lacks the {{}} in which the value stands")
    return templates, values


def _brands(file: Path, departments: set[str]) -> dict[str, tuple[Brand, ...]]:
    brands: dict[str, tuple[Brand, ...]] = dict.fromkeys(sorted(departments), ())
    for row in _table(file, ("brand", "departments", "models")):
        for department in row.required("departments"):
            if department not in brands:
                raise InputError(f"{row.where}: no product is of the department {department!r}; correct its spelling")
            brands[department] += (Brand(row.required("brand")[0], row.values("models")),)
    return brands


def _languages(file: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    orders, fillers = {}, {}
    for row in _table(file, ("language", "order", "fillers")):
        language, order = row.cells["language"], tuple(row.cells["order"].split())
        if sorted(order) != sorted(SLOTS):
            raise InputError(
                f"{row.where}: the order must name each of {', '.join(SLOTS)} once, found {' '.join(order)}"
            )
        orders[language], fillers[language] = order, row.required("fillers")
    missing = [language for language in NAMES if language not in orders]
    if missing:
        raise InputError(f"{file}: no line for the language {missing[0]!r}")
    return orders, fillers


def _products(
    folder: Path, known: Mapping[str, tuple[str, ...]], attributes: Mapping[tuple[str, str], Names]
) -> tuple[Product, ...]:
    files = sorted(folder.glob("*.tsv"))
    if not files:
        raise InputError(f"{folder}: no *.tsv file in it; data/demo/README.md says what belongs there")
    rows = [row for file in files for row in _table(file, ("path", "attributes", *NAMES))]
    _check_names(rows)
    return tuple(_product(row, known, attributes) for row in rows)


def _product(row: _Row, known: Mapping[str, tuple[str, ...]], attributes: Mapping[tuple[str, str], Names]) -> Product:
    path = row.cells["path"]
    levels = path.split(" > ")
    if len(levels) != 3 or not all(level and level == keys.stored(level) for level in levels):
        raise InputError(f"{row.where}: expected a path 'Department > Group > Leaf', found {path!r}")
    names = row.names()
    values = dict(_values(word, known, row.where) for word in row.cells["attributes"].split())
    # What the name says already ("leather jacket") is no attribute: a title would state it without saying so.
    unsaid = {
        kind: tuple(v for v in of_kind if kind.startswith("size:") or not _said(attributes[kind, v]["en"], names["en"]))
        for kind, of_kind in values.items()
    }
    return Product(path, names, {kind: of_kind for kind, of_kind in unsaid.items() if of_kind})


def _values(word: str, known: Mapping[str, tuple[str, ...]], where: str) -> tuple[str, tuple[str, ...]]:
    """Kind and values of one word of an `attributes` cell, such as `material:wool,silk` or `size:ring`."""
    kind, _, ids = word.partition(":")
    if word in known:  # a bare kind (all of its values), or a kind of size
        return word, known[word]
    values = tuple(ids.split(","))
    unknown = [value for value in values if value not in known.get(kind, ())]
    if unknown:
        raise InputError(
            f"{where}: unknown attribute {unknown[0]!r} in {word!r}; attributes.tsv and sizes.tsv name all"
        )
    return kind, values


def _said(phrasings: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether a phrasing stands as a whole word in one of the names."""
    return any(f" {keys.key(phrasing)} " in f" {keys.key(name)} " for phrasing in phrasings for name in names)


def _check_names(rows: list[_Row]) -> None:
    """No two rows may share a name in a language: a query could mean either, and its labels would be wrong."""
    owners: dict[tuple[str, str], str] = {}
    for row in rows:
        for language, names in row.names().items():
            for name in sorted({keys.key(name) for name in names}):
                owner = owners.setdefault((language, name), row.where)
                if owner != row.where:
                    raise InputError(f"{row.where}: {name!r} ({language}) is also a name in {owner}: keep it in one")
