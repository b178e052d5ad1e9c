"""What people and judges decided about labels: who is asked, whose word counts, and what follows for translations.

People come first: a label that they agree on is the row's label before the rule looks, and neither the rule nor a judge
is asked about that row. Judges are asked about the rows that the rule flags; a majority of them confirms the label, and
the row stays, or contradicts it. A translation has the candidate and the label of its original, so what is decided
about the original holds for it too, unless it has a decision of its own; if its original is asked about, it is not.
"""

from __future__ import annotations

import polars as pl

from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.filter.params import JudgesParams
from babelshelf.tables.reviews import PAIR

PEOPLE, JUDGES = "people", "judges"
CELL = ("language", "label", "origin")  # of whose rows a share is lost at most
# Why a row is marked. The cap on what a class may lose takes them in this order.
RELABELLED, JUDGED_WRONG, CONTRADICTED, PARENT_DROPPED = "relabelled", "judged_wrong", "contradicted", "parent_dropped"
ORDER = {RELABELLED: 0, JUDGED_WRONG: 0, CONTRADICTED: 1, PARENT_DROPPED: 2}

WHO = {
    PEOPLE: ("people_yes", "people_no", "people_unsure"),
    JUDGES: ("judges_yes", "judges_no", "judges_none"),
}
_NAMES_OF_JUDGES = dict(zip(("yes", "no", "none"), WHO[JUDGES], strict=True))
_NAMES_OF_PEOPLE = dict(zip(("yes", "no", "unsure"), WHO[PEOPLE], strict=True))
RELABELLED_SCHEMA = pl.Schema(
    {
        **ROW_SCHEMA,  # with the new label
        "was": pl.Int8(),  # the old one
        "p_yes": pl.Float64(),
        "by": pl.String(),  # people or judges
        "about": pl.String(),  # the id of the row that they decided about: its own, or that of its original
        **{name: pl.List(pl.String()) for names in WHO.values() for name in names},
    }
)
JUDGED_SCHEMA = pl.Schema(
    {
        **ROW_SCHEMA,  # with the label that the judges were asked about
        "p_yes": pl.Float64(),
        "majority": pl.Int8(),  # the label that a majority says; null without one
        **{name: pl.List(pl.String()) for name in WHO[JUDGES]},
    }
)


def by_people(rows: pl.DataFrame, agreed: pl.DataFrame) -> pl.DataFrame:
    """Decisions of people on rows, and on translations of these that they did not decide on themselves.

    Args:
        rows: `ROW_SCHEMA`.
        agreed: `PAIR`, `label` (Int8, null without agreement), and `yes`, `no`, `unsure`, lists of people.

    Returns:
        `id`, `decided` (Int8), `WHO[PEOPLE]` and `about`, the id of the row that they decided on; a row for each of
        `rows` that is decided.
    """
    named = agreed.drop_nulls("label").rename(_NAMES_OF_PEOPLE | {"label": "decided"})
    own = rows.select("id", *PAIR).join(named, on=list(PAIR), how="inner").drop(PAIR).with_columns(about=pl.col("id"))
    translations = rows.filter(pl.col("origin") == "translated").select("id", about="parent_id")
    followers = translations.join(own.drop("id"), on="about", how="inner").join(own, on="id", how="anti")
    return pl.concat([own, followers.select(own.columns)])


def with_labels_of_people(rows: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """The rows with the labels of people (`by_people`), whatever they had before, and `settled`: if they have one."""
    said = decided.select("id", "decided")
    joined = rows.join(said, on="id", how="left", maintain_order="left")
    labels = joined.with_columns(label=pl.coalesce("decided", "label"), settled=pl.col("decided").is_not_null())
    return labels.drop("decided")


def to_judge(marked: pl.DataFrame) -> pl.DataFrame:
    """The rows that judges are asked about: those that the rule flags, without translations of such rows."""
    flagged = marked.filter(pl.col("reason").is_not_null())
    follows = (pl.col("origin") == "translated") & pl.col("parent_id").is_in(flagged["id"].implode())
    return flagged.filter(~follows)


def mark_judged(marked: pl.DataFrame, votes: pl.DataFrame, settings: JudgesParams) -> pl.DataFrame:
    """`reason` as the judges want it.

    Of a row that they confirm the reason is null, and of its translations; of one that they contradict it is
    `RELABELLED` or `JUDGED_WRONG`; of one without a majority it stays, or is null with `undecided: keep`.

    Args:
        marked: rows with `reason`, `CONTRADICTED` or null.
        votes: `id`, `label` (of the majority, or null), `yes`, `no` and `none`; of the rows of `to_judge`.
        settings: what follows from a majority.

    Returns:
        `marked` with the columns `decided` (the majority's label), `about` (the id of the row that it is about) and
        `WHO[JUDGES]`, null where no judge was asked.
    """
    named = votes.rename(_NAMES_OF_JUDGES | {"label": "decided"}).with_columns(about=pl.col("id"))
    said = marked.join(named, on="id", how="left", maintain_order="left")
    confirms = pl.col("decided") == pl.col("label")
    leaves = pl.lit(settings.undecided == "keep") & pl.col("about").is_not_null() & pl.col("decided").is_null()
    stays = (confirms | leaves).fill_null(value=False)
    kept = said.filter(stays)["id"].implode()
    follows = (pl.col("origin") == "translated") & pl.col("parent_id").is_in(kept)
    wrong = RELABELLED if settings.contradicted == "relabel" else JUDGED_WRONG
    reason = (
        pl.when(stays | follows.fill_null(value=False))
        .then(None)
        .when(pl.col("decided").is_not_null())
        .then(pl.lit(wrong))
        .otherwise("reason")
    )
    return said.with_columns(reason=reason)


def follow_relabelled(marked: pl.DataFrame) -> pl.DataFrame:
    """Mark the translations of relabelled rows as relabelled; no judge was asked about these (`to_judge`).

    Args:
        marked: of `mark_judged`, after the cap: a row that it kept is marked no more.
    """
    columns = ("decided", "about", *WHO[JUDGES])
    parents = marked.filter(pl.col("reason") == RELABELLED).select(*columns, parent_id="id")
    joined = marked.join(parents, on="parent_id", how="left", maintain_order="left", suffix="_parent")
    differs = (pl.col("decided_parent") != pl.col("label")).fill_null(value=False)
    follows = (pl.col("origin") == "translated") & differs
    values = {name: pl.when(follows).then(f"{name}_parent").otherwise(name) for name in columns}
    reason = pl.when(follows).then(pl.lit(RELABELLED)).otherwise("reason")
    return joined.with_columns(reason=reason, **values).drop(f"{name}_parent" for name in columns)


def relabelled_by(who: str, marked: pl.DataFrame) -> pl.DataFrame:
    """`RELABELLED_SCHEMA` of rows with another label.

    Args:
        who: `PEOPLE` or `JUDGES`.
        marked: the rows with `decided`, `was`, `p_yes`, `about` and the columns `WHO[who]`.
    """
    missing = [pl.lit(None, pl.List(pl.String)).alias(name) for other in WHO if other != who for name in WHO[other]]
    table = marked.with_columns(*missing, label=pl.col("decided"), by=pl.lit(who))
    return table.select(pl.col(name).cast(kind) for name, kind in RELABELLED_SCHEMA.items())


def judged_rows(marked: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """`JUDGED_SCHEMA`: the rows that judges were asked about, and who said what."""
    named = votes.rename(_NAMES_OF_JUDGES | {"label": "majority"})
    return marked.join(named, on="id", how="inner", maintain_order="left").select(list(JUDGED_SCHEMA))
