"""Score a file of pairs: `babelshelf score`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from babelshelf.commands.init.options import parsed_columns, parsed_language_map
from babelshelf.commands.options import names
from babelshelf.commands.score.final_model import final_model
from babelshelf.commands.score.options import ScoreCommandOptions
from babelshelf.commands.score.output import check_output
from babelshelf.commands.score.pairs_to_score import ROLES, ScoreOptions, find
from babelshelf.commands.score.scoring import ModelFiles, run
from babelshelf.core.params import load
from babelshelf.preflight import requirements
from babelshelf.prepare.params import PrepareParams
from babelshelf.prepare.sources.files import usual
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import kind_of


def score(pairs: Path, out: Path, options: ScoreCommandOptions) -> Iterable[str]:
    """Score a file with the task's final model, or with another.

    Returns:
        What came out, for the screen.

    Raises:
        InputError: the file, an option or the model is wrong.
    """
    model = options.model or final_model(options.task)
    if kind_of(model) == "lm":
        requirements.require("score", options.task)
    check_output(out, pairs)
    trained = ModelFiles(
        base=options.base,
        model=model,
        calibrated=options.calibrated or Path("metrics") / "calibrate" / f"{options.task}.json",
        settings=load(ScoreParams, "score"),
    )
    trained.check(options.task)
    prepare = load(PrepareParams, "prepare")
    files = prepare.chosen() if prepare.source == "files" else usual()
    own = getattr(files, options.task).path_separator if prepare.source == "files" else ""
    readable = find(pairs, options.task, _parsed(options, own), files)
    return run(readable, out, trained, options.max_bad_share)


def _parsed(options: ScoreCommandOptions, trained_separator: str) -> ScoreOptions:
    return ScoreOptions(
        columns=parsed_columns(options.columns, ROLES),
        language=options.language,
        language_map=parsed_language_map(options.language_map),
        keep=options.keep,
        encoding=options.encoding,
        header=names(options.header),
        escape=options.escape,
        quote=options.quote,
        path_separator=options.path_separator,
        trained_separator=trained_separator,
    )
