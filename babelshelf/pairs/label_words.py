"""Words that label columns have, in the languages of the demo, and what they mean: for `pairs.label_meaning`.

Words are compared as `label_word` makes them: `not_relevant` and `non-relevant` are `not relevant` and `non relevant`.
"""

from __future__ import annotations

import polars as pl

POSITIVE = {
    *("1", "true", "yes", "y", "t", "relevant", "positive", "pos", "exact", "e", "match", "good", "related", "correct"),
    *("highly relevant", "very relevant", "accept", "accepted", "approved", "suitable", "ok", "matched", "matches"),
}
NEGATIVE = {
    *("0", "false", "no", "n", "f", "irrelevant", "not relevant", "non relevant", "nonrelevant", "negative", "neg"),
    *("i", "no match", "not match", "not a match", "mismatch", "non match", "bad", "-1", "unrelated", "not related"),
    *("incorrect", "not correct", "reject", "rejected", "unsuitable", "not ok", "nok", "not matched", "unmatched"),
}
GRADES = {  # between exact and irrelevant
    *("substitute", "complement", "s", "c", "partial", "partially relevant", "partly relevant", "somewhat relevant"),
}
# Of other languages than English. Some are codes of languages too (`ja`), so they count only where a file has both.
POSITIVE_ELSEWHERE = {
    *(
        "ja",
        "oui",
        "si",
        "sí",
        "sì",
        "sim",
        "tak",
        "да",
        "так",
        "はい",
        "예",
        "네",
        "نعم",
        "ใช่",
        "có",
        "evet",
        "是",
        "对",
    ),
    *("wahr", "vrai", "verdadero", "verdadeiro", "vero", "prawda", "правда", "正确", "真", "relevante", "pertinent"),
    *("pertinente", "rilevante", "istotne", "istotny", "trafne", "релевантно", "релевантный", "релевантен", "相关"),
    *("関連", "関連あり", "適合", "관련", "관련 있음", "적합", "relevan", "liên quan", "passend", "richtig"),
}
NEGATIVE_ELSEWHERE = {
    *(
        "nein",
        "non",
        "não",
        "nao",
        "nie",
        "нет",
        "ні",
        "いいえ",
        "아니요",
        "아니오",
        "لا",
        "ไม่",
        "ไม่ใช่",
        "không",
        "tidak",
    ),
    *("hayır", "否", "错", "falsch", "faux", "falso", "fałsz", "ложь", "错误", "偽", "nicht relevant", "irrelevante"),
    *("no relevante", "não relevante", "nao relevante", "non pertinent", "no pertinente", "non pertinente"),
    *("non rilevante", "irrilevante", "nieistotne", "nieistotny", "nietrafne", "нерелевантно", "нерелевантный"),
    *("нерелевантен", "不相关", "無関係", "関連なし", "不適合", "무관", "관련 없음", "부적합", "tidak relevan"),
    *("không liên quan", "unpassend", "nicht passend"),
}
LETTER_MARK = r"(\p{L})[_\-\s]+"


def label_word(values: pl.Series) -> pl.Series:
    """What label values (as `labels.label_keys` makes them) are compared with the words by."""
    return values.str.replace_all(LETTER_MARK, "$1 ").str.strip_chars(" ")


def positive(values: pl.Series) -> pl.Series:
    """Whether each value is a word for relevant."""
    return label_word(values).is_in(list(POSITIVE | (POSITIVE_ELSEWHERE if _has_both(values) else set())))


def negative(values: pl.Series) -> pl.Series:
    """Whether each value is a word for irrelevant."""
    return label_word(values).is_in(list(NEGATIVE | (NEGATIVE_ELSEWHERE if _has_both(values) else set())))


def grade(values: pl.Series) -> pl.Series:
    """Whether each value is a word for something in between."""
    return label_word(values).is_in(list(GRADES))


def _has_both(values: pl.Series) -> bool:
    words = set(label_word(values))
    return bool(words & (POSITIVE | POSITIVE_ELSEWHERE)) and bool(words & (NEGATIVE | NEGATIVE_ELSEWHERE))
