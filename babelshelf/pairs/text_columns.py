"""Guess which column has the queries, and which the candidates: for `pairs.column_roles`."""

from __future__ import annotations

from babelshelf.pairs.column_levels import level_columns, nested_columns
from babelshelf.pairs.column_names import CLOSE, EXACT, OTHER_TEXTS, SYNONYMS, closeness, is_id_name, words_of
from babelshelf.pairs.column_profiles import ColumnProfile
from babelshelf.pairs.column_table import Found, InputTable, examples_of, guess_of, is_text
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.label_meaning import Kind, kind
from babelshelf.pairs.separators import guess_separator

MOST = 0.9  # of the rows with a value
HALF = 0.5
FEW = 0.02
MANY = 20  # rows
CATEGORY_WORDS = {"category", "categories", "categorie", "kategorie", "path", "breadcrumb", "taxonomy", "kategoria"}


def guess_text(role: str, table: InputTable, free: list[ColumnProfile]) -> Found:
    """The query or the candidate: columns of levels, then by name, then the one text column that is left."""
    named_levels = [one for one in free if one.shares["ids"] < MOST]  # no `category_id_1`
    if role == "candidate" and table.task == "qc" and (levels := level_columns(named_levels)):
        reason, option = f"{len(levels)} columns of levels are joined to a path", f"--column {role}=NAME"
        examples = examples_of(table.profile(levels[0]))
        subject, names = f"{role} column", ", ".join(levels)
        return levels, Guess(subject, names, Outcome.CHECK, 1.0, reason, examples, option, table.where)
    synonyms = SYNONYMS[table.task if role == "candidate" else role]
    scored = [(closeness(one.name, synonyms), one) for one in free if _may_be_called(one, role, table.task)]
    scored.sort(key=lambda pair: pair[0], reverse=True)
    named = [(score, one) for score, one in scored if score >= CLOSE and (score == EXACT or is_text(one))]
    if role == "candidate" and table.task == "qc" and len(named) > 1 and named[0][0] == named[1][0]:
        named.sort(key=lambda pair: (pair[0], _has_levels(pair[1])), reverse=True)  # a path goes before its leaf
    if not named:
        return _by_values(role, table, free)
    score, best = named[0]
    if refused := refused_text(role, best, table):
        return [], refused
    tied = [one.name for other, one in named[1:] if other == score]
    outcome = Outcome.CHECK if tied else Outcome.SURE
    return [best.name], guess_of(role, best, outcome, table, f"{', '.join(tied)} would fit as well" if tied else "")


def _by_values(role: str, table: InputTable, free: list[ColumnProfile]) -> Found:
    splits = set(table.splits)
    texts = [one for one in free if is_text(one) and not _is_other(one.name) and kind(one.counts, 0) < Kind.TWO_VALUES]
    texts = [one for one in texts if not _is_constant(one) and not {value.lower() for value in one.values} <= splits]
    if role == "candidate":
        texts = [one for one in texts if closeness(one.name, SYNONYMS["query"]) < CLOSE]
        if table.task == "qc":
            texts = [one for one in texts if _has_levels(one)] or texts
    if not texts:
        return [], _no_text(role, free, table)
    texts.sort(key=lambda one: one.characters, reverse=role == "candidate")
    if len(texts) == 1:
        if refused := refused_text(role, texts[0], table):
            return [], refused
        return [texts[0].name], guess_of(role, texts[0], Outcome.CHECK, table, "the only text column that is left")
    names = ", ".join(one.name for one in texts)
    reason = f"which column is the {role}? {names} hold texts, and no name tells"
    if role == "candidate" and table.task == "qc" and len(levels := nested_columns(texts)) > 1:
        joined, examples = ",".join(levels), examples_of(table.profile(levels[0]))
        reason += f"; each value of {levels[-1]} stands below one of {levels[0]}, as in a path"
        option = f"--column candidate={joined}, or --column candidate=NAME"
        return levels, Guess(f"{role} column", joined, Outcome.UNSURE, 1.0, reason, examples, option, table.where)
    return [texts[0].name], guess_of(role, texts[0], Outcome.UNSURE, table, reason)


def _may_be_called(profile: ColumnProfile, role: str, task: str) -> bool:
    """Whether a name may be matched with the synonyms of a text: exactly, or without words of something else."""
    synonyms = SYNONYMS[task if role == "candidate" else role]
    if closeness(profile.name, synonyms) == EXACT:
        return True
    words = words_of(profile.name)
    other = CATEGORY_WORDS if task == "qi" or role == "query" else {"title", "name", "description"}
    return not (is_id_name(profile.name) or _is_other(profile.name) or words & (other | {"label", "lang"}))


def _has_levels(profile: ColumnProfile) -> bool:
    counts = profile.sample.drop_nulls().alias("value").value_counts(name="count")
    guess = guess_separator(counts)
    return bool(guess.value) and guess.share >= HALF


def _is_constant(profile: ColumnProfile) -> bool:
    """Whether all of many rows have the same value, which tells no query or candidate from another."""
    return profile.present >= MANY and len(profile.values) == 1


def _is_other(name: str) -> bool:
    return bool(words_of(name) & (OTHER_TEXTS | {"language", "locale"}))


def refused_text(role: str, profile: ColumnProfile, table: InputTable) -> Guess | None:
    """A refusal of a column that holds ids, URLs or objects in place of texts."""
    if profile.shares["ids"] >= MOST:
        return _refused_ids(role, profile, table)
    what = "URLs" if profile.shares["urls"] >= HALF else "objects" if profile.shares["objects"] >= FEW else ""
    if not what:
        return None
    reason = (
        f"{profile.name!r} holds {what}, not texts: give a file in which the {role} texts are a column of their own"
    )
    option, examples = f"--column {role}=NAME", examples_of(profile)
    return Guess(f"{role} column", None, Outcome.UNSURE, 1.0, reason, examples, option, table.where)


def _refused_ids(role: str, profile: ColumnProfile, table: InputTable) -> Guess:
    reason = (
        f"{profile.name!r} holds ids, not texts, and a model would learn the ids: join the table that has the {role} "
        f"texts on {profile.name!r}, and give the joined file; or name another column"
    )
    return Guess(
        f"{role} column", None, Outcome.UNSURE, 1.0, reason, examples_of(profile), f"--column {role}=NAME", table.where
    )


def _no_text(role: str, free: list[ColumnProfile], table: InputTable) -> Guess:
    """No column can be the text: an error; where there are ids of it, it names the join that is missing."""
    synonyms = SYNONYMS["query" if role == "query" else "qi"] + (SYNONYMS["qc"] if table.task == "qc" else [])
    ids = [one for one in free if is_id_name(one.name)]
    ids += [one for one in free if one.shares["ids"] >= MOST and one.counts is None and one not in ids]
    of_role = [one for one in ids if closeness(one.name, synonyms) >= CLOSE] or (ids if role == "candidate" else [])
    if of_role:
        return _refused_ids(role, of_role[0], table)
    there = ", ".join(one.name for one in table.profiles)
    reason = f"which column is the {role}? No column looks like it; there are {there}"
    return Guess(f"{role} column", None, Outcome.UNSURE, 1.0, reason, (), f"--column {role}=NAME", table.where)
