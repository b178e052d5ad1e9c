"""Write a trained model or a training set in the format of other tools: `babelshelf export`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from babelshelf.commands.export.data_card import data_card
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.commands.export.exported_pairs import ExportedPairs
from babelshelf.commands.export.model_card import model_card
from babelshelf.commands.export.options import ExportOptions
from babelshelf.commands.export.origins import Origin, origin, origin_of_pointer
from babelshelf.commands.score.final_model import final_model
from babelshelf.core import languages
from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing, write_json
from babelshelf.core.params import PARAMS_FILE, read
from babelshelf.core.plugins import Plugins
from babelshelf.core.variants import VARIANTS
from babelshelf.llm.prompts import KINDS
from babelshelf.llm.versions import PACKAGES

FORMATS = Plugins("babelshelf.commands.export.formats", "export", "format")
CARD = "README.md"
EXPORTED = {  # what makes the files
    "lm": (*PACKAGES, "sentence-transformers"),
    "classifier": ("numpy", "onnx"),
    "cross_encoder": ("torch", "transformers", "sentence-transformers"),
}
MADE_FROM = {
    "lm": "a fine-tuned LM (method sft or dpo)",
    "classifier": "a classifier",
    "cross_encoder": "a cross-encoder (method distill)",
    "data": "a training set",
}


def export(source: ExportedModel | ExportedPairs, out: Path, to: str) -> list[str]:
    """Write an export.

    Args:
        source: what to export.
        out: folder to write; it is there when it is complete.
        to: the format, a module of `babelshelf.commands.export.formats`; `-` stands for `_`.

    Returns:
        What came out, for the screen.

    Raises:
        InputError: `out` exists, there is no such format, it is not for this source, or the source is not in order.
    """
    form = FORMATS.load(to.replace("-", "_"))
    if out.exists():
        raise InputError(f"{out}: exists already: name another folder, or remove it")
    if isinstance(source, ExportedModel):
        source.check()
    kind = source.kind if isinstance(source, ExportedModel) else "data"
    if kind not in form.SOURCES:
        others = [name for name in FORMATS.names() if kind in FORMATS.load(name).SOURCES]
        raise InputError(
            f"--to {to} is for {' or '.join(MADE_FROM[one] for one in form.SOURCES)}, and this is {MADE_FROM[kind]}: "
            f"take {' or '.join(name.replace('_', '-') for name in others)}"
        )
    with replacing(out) as folder:
        folder.mkdir()
        form.write(source, folder)
        if isinstance(source, ExportedModel):
            return _finish_model(source, folder, form, out)
        data_card(source, form.LIBRARY, form.usage(source)).save(folder / CARD)
    return [f"{out / one.file}: {one.entries:,} entries of {one.pairs:,} labelled pairs" for one in source.written]


def _finish_model(source: ExportedModel, folder: Path, form: ModuleType, out: Path) -> list[str]:
    """Write what each export of a model has."""
    write_json(folder / "thresholds.json", source.calibration.metrics())
    write_json(folder / "record.json", dict(source.record))
    if source.metrics:
        write_json(folder / "metrics.json", dict(source.metrics))
    write_json(folder / "versions.json", {"training": source.versions, "export": _versions(EXPORTED[source.kind])})
    model_card(source, _origin(source), form.LIBRARY, form.usage(source)).save(folder / CARD)
    without = "" if source.metrics else f"; no metrics: {source.evaluated} is missing"
    return [f"{out}: {source.model} for {form.LIBRARY}, threshold {source.calibration.threshold:.6g}{without}"]


def _versions(packages: Sequence[str]) -> dict[str, str]:
    return {"babelshelf": version("babelshelf")} | {package: version(package).partition("+")[0] for package in packages}


def _origin(source: ExportedModel) -> Origin:
    """Where the base comes from; a cross-encoder and a classifier have their encoder's pointer themselves."""
    if source.kind == "cross_encoder":
        return origin_of_pointer(source.record["encoder"])
    if source.kind == "lm":
        return origin(source.base_lm)
    own = source.model / "embedder"
    return origin(own if own.is_dir() else source.base / "embedder")


def source_of(what: str, options: ExportOptions) -> ExportedModel | ExportedPairs:
    """What the command exports.

    Args:
        what: a task, whose model it is, by default that of its recipe; or a variant.
        options: of the command.

    Raises:
        InputError: there is no such task or variant.
    """
    if what in VARIANTS:
        params = read(PARAMS_FILE)
        prompts, source = Path("prompts", params["sft"]["template"]), params["prepare"]["source"]
        return ExportedPairs(what, Path("data"), prompts, options.tasks, options.scores, source)
    if what not in KINDS:
        raise InputError(f"no task or variant {what!r}: there are {', '.join([*KINDS, *VARIANTS])}")
    return ExportedModel(
        task=what,
        base=options.base,
        model=options.model or final_model(what),
        calibrated=options.calibrated or Path("metrics", "calibrate", f"{what}.json"),
        evaluated=options.evaluated or Path("metrics", "evaluate", f"{what}.json"),
        precision=options.precision,
        language=languages.normalize(options.language, "--language"),
        data=read(PARAMS_FILE)["prepare"]["source"],
    )
