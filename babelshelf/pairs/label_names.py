"""What the name of a label column says: the opposite of relevance, a rank, or that a model gave the labels."""

from __future__ import annotations

import re

from babelshelf.pairs.column_names import plain, words_of

NEGATED = {
    *("irrelevant", "irrelevance", "nonrelevant", "unrelated", "negative", "mismatch", "mismatched", "wrong", "bad"),
    *("incorrect", "rejected", "reject", "irrelevante", "irrilevante", "nieistotne", "distance", "error", "loss"),
    *("nonmatch", "unmatched", "dissimilarity", "bounce", "bounced", "skipped", "skip", "nichtrelevant", "inexact"),
    *("offtopic", "spam", "noise", "invalid", "false", "unclicked", "returned", "complaint", "disliked", "dislike"),
    *("excluded", "blocked", "hidden", "unpassend", "falsch", "無関係", "関連なし", "무관", "diskrepanz"),
}
NEGATIONS = {
    "not",
    "non",
    "no",
    "un",
    "off",
    "hors",
    "nicht",
    "kein",
    "pas",
    "sin",
    "nie",
    "isnt",
    "isn't",
    "tidak",
    "bukan",
    "không",
    "ไม่",
    "غير",
    "nao",
    "não",
}
# `unrelated`, `mismatched`, `nierelewantne`: a negation that is part of the word.
NEGATED_WORD = re.compile(
    r"(?:un|non|ir|in|im|mis|dis|nicht|nie|anti)-?"
    r"(?:relev|relew|rilev|relat|relaci|match|click|liked|suit|fitting|pertin|passend|istotn|correct|approv|accept)"
)
# Of a label that a model gave.
PREDICTIONS = {"predicted", "prediction", "predictions", "pred", "model", "estimated", "llm", "gpt", "auto", "baseline"}
RANKS = {
    *("rank", "position", "pos", "ranking", "rang", "posicion", "posición", "posição", "posizione", "pozycja"),
    *("platz", "place", "ordinal", "順位", "순위", "ترتيب", "อันดับ", "thứ hạng", "hạng", "peringkat", "posisi", "slot"),
}
OTHER_NOUNS = {  # of which a label may be: `category label` names a category
    *("category", "categorie", "kategorie", "brand", "color", "colour", "product", "item", "title", "query", "price"),
    *("size", "language", "lang", "shipping", "stock", "sponsored", "ad", "gender", "age", "split", "seller", "user"),
}


def is_negated(name: str) -> bool:
    """Whether a label of this name says that a pair is *not* relevant."""
    words = plain(name).split()
    if any(word in NEGATIONS for word in words[:-1]):
        return True
    return any(word in NEGATED or NEGATED_WORD.match(word) for word in words)


def is_rank(name: str) -> bool:
    """Whether the name is that of a position, of which 1 is the best."""
    return bool(RANKS & words_of(name))


def is_prediction(name: str) -> bool:
    """Whether the name says that a model gave the labels."""
    return bool(PREDICTIONS & words_of(name))
