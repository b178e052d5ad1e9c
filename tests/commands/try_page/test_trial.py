"""What `babelshelf try` says of a query: candidates by p(yes), like training pairs, the errors on like test pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelshelf.commands.try_page.tried_model import ModelPaths
from babelshelf.core.errors import InputError
from babelshelf.core.files import write_json
from babelshelf.tables.calibration import Calibration, Recalibration
from tests.helpers.trial_data import CATALOGUE, model, trial

CALIBRATED = Calibration(0.45, {"ar": 0.95})


def test_candidates_come_by_the_first_models_p_yes_with_the_answers_of_both(tmp_path: Path) -> None:
    found = trial(tmp_path, model(), model("models/b", shift=0.3)).search("  Red   lamps ".lower(), "en")
    assert [one.candidate for one in found][:2] == ["home > lamps > red lamps", "home > lamps > blue lamps"]
    assert {one.candidate for one in found} == set(CATALOGUE)
    assert found[0].query == "red lamps"
    assert found[0].levels == ["home", "lamps", "red lamps"]
    first, second = found[1].answers
    assert (first.p, second.p) == (pytest.approx(0.5), pytest.approx(0.8))
    assert found[-1].answers[0].p == pytest.approx(0.1)


def test_the_threshold_is_that_of_the_querys_language(tmp_path: Path) -> None:
    tried = trial(tmp_path, model(calibration=CALIBRATED))
    (in_english, *_), (in_arabic, *_) = (tried.search("red lamp", language) for language in ("en", "ar"))
    assert (in_english.answers[0].threshold, in_english.answers[0].is_relevant) == (0.45, True)
    assert (in_arabic.answers[0].threshold, in_arabic.answers[0].is_relevant) == (0.95, False)


def test_a_recalibrated_probability_is_compared(tmp_path: Path) -> None:
    recalibrated = Calibration(0.5, recalibration=Recalibration(-3.0, 1.0))
    (found, *_) = trial(tmp_path, model(calibration=recalibrated)).search("red lamp", "en")
    assert found.answers[0].p == pytest.approx(0.309, abs=0.001)  # of 0.9
    assert not found.answers[0].is_relevant


def test_the_nearest_labelled_pairs_say_which_step_made_them_and_of_what(tmp_path: Path) -> None:
    tried = trial(tmp_path, model())
    found = next(one for one in tried.search("rote lampe", "de") if one.candidate == "home > lamps > red lamps")
    examples = tried.examples(found)
    assert (examples[0].query, examples[0].origin, examples[0].parent) == (
        "rote lampe",
        "translated",
        ("red lamp", "en"),
    )
    assert examples[0].similarity == pytest.approx(1)
    assert [example.similarity for example in examples] == sorted((e.similarity for e in examples), reverse=True)
    assert "red lamp please" not in {example.query for example in examples}  # it has no label
    changed = {
        example.query: example.relabelled_by for example in tried.examples(tried.search("running shoe", "en")[0])
    }
    assert changed["running shoe"] == "people"
    assert changed["red lamp"] is None


def test_errors_are_counted_among_like_test_pairs_with_the_same_answer(tmp_path: Path) -> None:
    tried = trial(tmp_path, model(calibration=CALIBRATED), model("models/b"))
    found = next(one for one in tried.search("red lamp", "en") if one.candidate == "home > lamps > red lamps")
    errors = tried.errors(found, 0)
    assert errors is not None
    assert (errors.pairs, errors.wrong, errors.share) == (2, 1, 0.5)  # yes to t1 and t2, of which t2 is irrelevant
    assert list(errors.examples) == [("blue lamps", "en", "home > lamps > red lamps")]
    no = next(one for one in tried.search("red lamp", "en") if not one.answers[0].is_relevant)
    measured = tried.errors(no, 0)
    assert measured is not None
    assert (measured.pairs, measured.wrong) == (2, 1)  # no to t3 and t4, of which t3 is relevant
    assert tried.errors(found, 1) is None


def test_the_language_is_guessed_among_those_of_the_data(tmp_path: Path) -> None:
    tried = trial(tmp_path, model(calibration=CALIBRATED))
    assert tried.languages == ["ar", "de", "en"]
    assert tried.guess_language("günstige rote Lampe für die Küche") == "de"
    assert tried.guess_language("مصباح") == "ar"
    assert tried.guess_language("42") is None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two classifiers' records, and what was measured of the final one."""
    monkeypatch.chdir(tmp_path)
    for variant in ("negatives", "original"):
        write_json(Path("models", variant, "classifier.json"), {"variant": variant})
    write_json(Path("metrics/calibrate/qc.json"), {"threshold": 0.4, "variant": "negatives"})
    Path("data/predictions/held_out/qc").mkdir(parents=True)
    Path("data/predictions/held_out/qc/test.parquet").touch()
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_only_the_final_model_has_the_pipelines_threshold_and_predictions() -> None:
    final, other = Path("models/negatives"), Path("models/original")
    measured = ModelPaths(final, Path("metrics/calibrate/qc.json"), Path("data/predictions/held_out/qc/test.parquet"))
    assert ModelPaths.of(final, None, "qc", final) == measured
    assert ModelPaths.of(other, None, "qc", final) == ModelPaths(other, None, None)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("model_folder", "calibrated", "message"),
    [
        ("models/none", None, "models/none: no such folder"),
        ("models/original", "metrics/none.json", "metrics/none.json: no such file"),
        ("models/original", "metrics/calibrate/qc.json", "its threshold is of the variant 'negatives'"),
    ],
)
def test_what_is_missing_or_of_another_model_is_said(model_folder: str, calibrated: str | None, message: str) -> None:
    given = None if calibrated is None else Path(calibrated)
    with pytest.raises(InputError, match=message):
        ModelPaths.of(Path(model_folder), given, "qc", Path("models/negatives"))
