"""A cross-encoder as ONNX, in fp32 and in 8 bits, with its tokenizer: for onnxruntime and what is built on it.

onnx/model.onnx                      fp32
onnx/model_qint8_avx512_vnni.onnx    weights in 8 bits, activations quantized as they come (dynamic quantization)

The names are those under which sentence-transformers and servers look for such files. Inputs are the tokenizer's,
int64, shape (pairs, tokens); the output `logits` is float32, shape (pairs, 1): p(yes) is its logistic function.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from babelshelf.core.errors import InputError
from babelshelf.llm.versions import VERSIONS
from babelshelf.score.cross_encoder_scorer import RECORD

if TYPE_CHECKING:
    from torch import nn

    from babelshelf.commands.export.exported_model import ExportedModel

SOURCES = ("cross_encoder",)
LIBRARY = "onnx"

FP32, INT8 = Path("onnx/model.onnx"), Path("onnx/model_qint8_avx512_vnni.onnx")
INSTALL = "pip install 'babelshelf[export]'"
OPSET = 18
OUTPUT = "logits"
NOT_COPIED = (RECORD, VERSIONS, "*.safetensors", "modules.json", "sentence_bert_config.json")
TOLERANCE = 1e-3  # of logits in fp32
SAMPLES = (  # of other numbers of pairs and of tokens than the traced ones, some padded
    ("red shoes", "Shoes > Running Shoes"),
    ("赤い靴", "ランニングシューズ 26.5cm"),
    ("Größe 38", "Straßenschuhe für Damen " * 20),
)


def write(source: ExportedModel, folder: Path) -> None:
    """Write the folder.

    Raises:
        InputError: a package is missing, or onnxruntime computes something else than torch.
    """
    quantization = _require()
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415 - slow to import

    model = AutoModelForSequenceClassification.from_pretrained(source.model).eval()
    tokenizer = AutoTokenizer.from_pretrained(source.model)
    shutil.copytree(source.model, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), dirs_exist_ok=True)
    (folder / FP32).parent.mkdir()
    with _quiet():
        _trace(model, _encoded(tokenizer, SAMPLES[:2]), folder / FP32)
        _check(model, _encoded(tokenizer, SAMPLES), folder / FP32)
        _quantize(quantization, folder / FP32, folder / INT8)


def _require() -> Any:  # noqa: ANN401 - onnxruntime has no types
    try:
        import onnxscript  # noqa: F401, PLC0415 - of torch's exporter
        from onnxruntime import quantization  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"--to onnx needs the package {error.name}: {INSTALL}") from error
    return quantization


def _encoded(tokenizer: Any, pairs: tuple[tuple[str, str], ...]) -> dict[str, Any]:  # noqa: ANN401 - of transformers
    queries, candidates = zip(*pairs, strict=True)
    encoded: dict[str, Any] = dict(
        tokenizer(list(queries), list(candidates), padding=True, truncation=True, return_tensors="pt")
    )
    return encoded


def _trace(model: nn.Module, inputs: dict[str, Any], file: Path) -> None:
    """Write the graph of a model, for any numbers of pairs and tokens."""
    import torch  # noqa: PLC0415 - slow to import

    class Logits(torch.nn.Module):
        def forward(self, *values: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = model(**dict(zip(inputs, values, strict=True))).logits
            return logits

    wrapped = Logits()
    wrapped.model = model
    torch.onnx.export(
        wrapped.eval(),
        tuple(inputs.values()),
        str(file),
        input_names=list(inputs),
        output_names=[OUTPUT],
        dynamic_shapes=(tuple({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for _ in inputs),),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _check(model: nn.Module, inputs: dict[str, Any], file: Path) -> None:
    """Raise InputError unless onnxruntime gives the model's logits."""
    import onnxruntime  # noqa: PLC0415
    import torch  # noqa: PLC0415

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (found,) = session.run([OUTPUT], {name: value.numpy() for name, value in inputs.items()})
    with torch.inference_mode():
        expected = model(**inputs).logits.numpy()
    if not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        raise InputError(
            f"--to onnx: onnxruntime's logits differ from torch's by up to {np.abs(found - expected).max():.2g}: this "
            "architecture can't be exported with these versions of torch and transformers"
        )


def _quantize(quantization: Any, fp32: Path, int8: Path) -> None:  # noqa: ANN401 - of onnxruntime
    """Write the model with weights in 8 bits, of which 7 are used: with all 8, CPUs without VNNI overflow."""
    quantization.quantize_dynamic(
        fp32, int8, weight_type=quantization.QuantType.QInt8, per_channel=True, reduce_range=True
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's and the quantizer's messages to their developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def usage(source: ExportedModel) -> str:
    """How onnxruntime reads it."""
    query, candidate = source.example
    return f"""\
```python
import numpy as np
from onnxruntime import InferenceSession
from transformers import AutoTokenizer

folder = "PATH"
tokenizer = AutoTokenizer.from_pretrained(folder)
session = InferenceSession(f"{{folder}}/{INT8.as_posix()}")  # or {FP32.as_posix()}


def p_yes(queries: list[str], candidates: list[str]) -> np.ndarray:
    encoded = tokenizer(queries, candidates, padding=True, truncation=True, return_tensors="np")
    inputs = {{one.name: encoded[one.name].astype(np.int64) for one in session.get_inputs()}}
    (logits,) = session.run(["{OUTPUT}"], inputs)
    return 1 / (1 + np.exp(-logits[:, 0]))


print(p_yes([{query!r}], [{candidate!r}]))
```

`{INT8.as_posix()}` is a quarter of the size, and faster on a CPU; its p(yes) differs a little, so choose a threshold of
its own on labelled pairs where that matters. Query and candidate have at most {source.record["max_length"]} tokens
together; the longer of the two is shortened.
"""
