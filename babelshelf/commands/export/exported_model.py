"""The trained model that is exported: what it is, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from babelshelf.classifier.model_folder import EMBEDDER
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.variants import FINAL
from babelshelf.llm.base_model import DTYPES, POINTER, check_base, load_tokenizer
from babelshelf.llm.prompts import Template, parse
from babelshelf.llm.versions import VERSIONS
from babelshelf.score.scorer import Kind, base_lm, kind_of, read_record
from babelshelf.tables.calibration import Calibration

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EXAMPLES = {
    "qc": ("womens sneakers", "Shoes > Women's Shoes > Sneakers"),
    "qi": ("iphone 14 case", "Case for iPhone 14"),
}


@dataclass(frozen=True)
class ExportedModel:
    """A trained model.

    Attributes:
        task: `qc` or `qi`.
        base: see `babelshelf.score.scorer.load_scorer`.
        model: folder of what was trained on it.
        calibrated: the metrics of `calibrate`.
        evaluated: the metrics of `evaluate`; may be missing.
        precision: of the weights of an LM.
        language: ISO 639-1 code of queries whose language the caller does not give.
        data: the source of its pairs, `prepare.source`; "" where that is not known.
    """

    task: str
    base: Path
    model: Path
    calibrated: Path
    evaluated: Path
    precision: Literal["fp32", "bf16"] = "fp32"
    language: str = "en"
    data: str = ""

    def check(self) -> None:
        """Raise InputError where something is missing, or the threshold or the metrics are those of another model."""
        base = [self.base_lm] if self.kind == "lm" else []
        for path in (*base, self.model, self.calibrated):
            if not path.exists():
                raise InputError(
                    f"{path}: no such file or folder: run `dvc repro evaluate@{self.task}`, or give --base, --model "
                    "and --calibrated"
                )
        trained_on, of_threshold = self.record.get("variant"), read_json(self.calibrated).get("variant")
        if trained_on == FINAL and of_threshold != FINAL:
            raise InputError(
                f"{self.model}: it was trained on dev and test, so that it has no threshold and no metrics of its own: "
                "export the model of the recipe, or give --calibrated with a threshold from other rows"
            )
        if of_threshold and trained_on and of_threshold != trained_on:
            raise InputError(
                f"{self.calibrated}: its threshold is of the variant {of_threshold!r}, and {self.model} is of "
                f"{trained_on!r}: give --calibrated with that model's threshold"
            )
        if self.metrics and self.metrics["threshold"] != self.calibration.threshold:
            raise InputError(
                f"{self.evaluated}: measured with another threshold than that of {self.calibrated}: run `dvc repro "
                f"evaluate@{self.task}`, or give --evaluated"
            )
        if self.kind == "lm":
            check_base(self.base_lm, self.model)

    @property
    def kind(self) -> Kind:
        """What the formats call its kind."""
        return kind_of(self.model)

    @property
    def base_lm(self) -> Path:
        """Folder of the base LM."""
        return base_lm(self.base)

    @property
    def dtype(self) -> str:
        """The weights' precision, as torch calls it."""
        return DTYPES[self.precision]

    @property
    def example(self) -> tuple[str, str]:
        """A query and a candidate, to show."""
        return EXAMPLES[self.task]

    @property
    def encoder_name(self) -> str:
        """What params.yaml calls the encoder of a classifier; of a model of the hub or a folder, what that was."""
        own = self.model / EMBEDDER / POINTER
        pointer = read_json(own) if own.is_file() else {}
        name: str = self.record["encoder"]["name"]
        return str(pointer.get("builtin") or pointer.get("model") or pointer.get("folder") or name)

    @cached_property
    def record(self) -> dict[str, Any]:
        """What the model says of itself."""
        return read_record(self.model)

    @property
    def versions(self) -> Mapping[str, Any]:
        """The versions of the packages that it was trained with; empty where it does not say."""
        file = self.model / VERSIONS
        return read_json(file) if file.is_file() else {}

    @cached_property
    def calibration(self) -> Calibration:
        """From which p(yes) on a pair is relevant."""
        return Calibration.of(read_json(self.calibrated))

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """What `evaluate` measured on test; empty where it did not."""
        return read_json(self.evaluated) if self.evaluated.is_file() else {}

    def prompt(self) -> tuple[Template, int]:
        """The prompt of an LM, and the tokens of the longest prompt with its answer."""
        return parse(self.record["template"], str(self.model / "prompt.json")), self.record["max_length"]

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """An LM's tokenizer.

        Raises:
            InputError: other tools can't read its files.
        """
        tokenizer = load_tokenizer(self.base_lm)
        if not tokenizer.is_fast:
            raise InputError(f"{self.base_lm}: its tokenizer has no tokenizer.json, which other tools read")
        return tokenizer
