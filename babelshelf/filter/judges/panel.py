"""Ask a panel of LLM judges about rows, and count their votes.

Each judge gets one prompt a row. A reply that can't be read is asked for once more, with a reminder before the prompt;
a refused prompt and a request that fails after all its retries give no vote. All of these are counted. Replies are kept
in a cache by endpoint, model, request and prompt: another run asks for none of them again, and a kill loses at most the
batch of each judge that was under way.

Two limits hold for a run: `max_calls` on prompts, and `max_tokens` on prompts and replies. Both are estimated before
the first prompt leaves, which the run says in a line with the hosts that the texts go to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.partial_work import fingerprint
from babelshelf.core.work_cache import WorkCache
from babelshelf.filter.judges.limits import CallBudget, announcement, estimated_tokens
from babelshelf.filter.judges.replies import (
    ANSWERS,
    FAILED,
    LABELS,
    NO,
    UNREADABLE,
    YES,
    from_text,
    read_answer,
    to_text,
)
from babelshelf.filter.params import JudgeParams, JudgesParams
from babelshelf.runtime.screen import echo, progress

if TYPE_CHECKING:
    from babelshelf.endpoint.client import EndpointClient
    from babelshelf.endpoint.reply import Reply
    from babelshelf.llm.prompts import Template

INSTALL = "pip install -e '.[openai]'"
REMINDER = "Reply with exactly one word, yes or no, and nothing else.\n\n"  # before a prompt that is asked once more
ROUNDS = 2  # a prompt, and once more where the reply can't be read
FEWEST_VOTES = 20  # from which on the same vote on all rows is suspicious
BATCH = 4  # prompts a batch, times the judge's concurrency
HARMLESS = {"language": "en", "query": "shoes", "candidate": "Shoes > Running Shoes"}


@dataclass(frozen=True)
class Votes:
    """What a panel said.

    Attributes:
        rows: `id`, and by row `label` (Int8, that of more than half of the panel, null without such a majority) and
            `yes`, `no` and `none`, lists of judges; `none` gave no vote that counts.
        judges: by judge, how often it gave each of `ANSWERS`, and the calls and tokens of its replies, those from the
            cache included.
    """

    rows: pl.DataFrame
    judges: dict[str, dict[str, int]]

    @property
    def warnings(self) -> list[str]:
        """A line for each judge that gave no vote on some rows, or the same vote on all."""
        lines = []
        for name, counts in self.judges.items():
            silent = [f"{counts[answer]:,} {answer}" for answer in ANSWERS if answer not in LABELS and counts[answer]]
            if silent:
                again = "; `dvc repro -f -s filter@<task>` asks for the failed ones again" * bool(counts[FAILED])
                lines.append(
                    f"check: judge {name}: no vote on {' and '.join(silent)} of {self.rows.height:,} rows{again}"
                )
            given = [answer for answer in LABELS if counts[answer]]
            if len(given) == 1 and counts[given[0]] >= FEWEST_VOTES:
                lines.append(
                    f"check: judge {name}: {given[0]} to all {counts[given[0]]:,} rows that it voted on: does the "
                    "model follow the prompt? A small or a base model may not"
                )
        return lines


class JudgeEndpoint:
    """An endpoint with the replies that the cache has of it.

    Args:
        name: of the judge.
        settings: its endpoint.
        prompts: those that are asked, each once.
        cache: of replies.
    """

    def __init__(self, name: str, settings: JudgeParams, prompts: Sequence[str], cache: WorkCache[str]) -> None:
        self.name, self.settings = name, settings
        self._prompts, self._cache = prompts, cache
        # The key of the cache: the order of these must not change.
        self._identity = repr((settings.base_url, settings.model, settings.api, settings.request))
        rounds = [self._keys(prompts, number) for number in range(ROUNDS)]
        stored = {
            key: from_text(text) for key, text in cache.get_many([key for keys in rounds for key in keys]).items()
        }
        self._replies = [
            {prompt: stored[key] for prompt, key in zip(prompts, keys, strict=True) if key in stored} for keys in rounds
        ]

    @property
    def unasked(self) -> list[str]:
        """The prompts without a reply."""
        return [prompt for prompt in self._prompts if prompt not in self._replies[0]]

    def ask(self, client: EndpointClient, harmless: str, budget: CallBudget, advance: Callable[[int], None]) -> None:
        """Ask for what is missing, then once more for what can't be read, as far as the budget goes."""
        for batch in _batches(self.unasked, BATCH * self.settings.concurrency):
            self._ask(batch, 0, client, harmless, budget)
            advance(len(batch))
        for batch in _batches(self._unreadable(), BATCH * self.settings.concurrency):
            self._ask(batch[: budget.take_repeated(len(batch))], 1, client, harmless, budget)

    def answers(self) -> dict[str, str]:
        """One of `ANSWERS` by prompt."""
        return {prompt: self._answer(prompt) for prompt in self._prompts}

    def usage(self) -> dict[str, int]:
        """Calls and tokens of all replies, whichever run asked; tokens that no endpoint counts are estimated."""
        replies = [(prompt, reply) for known in self._replies for prompt, reply in known.items()]
        return {"calls": len(replies), "tokens": sum(self._tokens(*pair) for pair in replies)}

    def _answer(self, prompt: str) -> str:
        replies = [known[prompt] for known in self._replies if prompt in known]
        return read_answer(replies[-1]) if replies else FAILED

    def _unreadable(self) -> list[str]:
        again = self._replies[1]
        return [prompt for prompt in self._prompts if prompt not in again and self._answer(prompt) == UNREADABLE]

    def _ask(self, prompts: list[str], number: int, client: EndpointClient, harmless: str, budget: CallBudget) -> None:
        from babelshelf.endpoint.client import FailedRequestsError  # noqa: PLC0415 - imports openai

        if not prompts:
            return
        budget.check_tokens()
        down = None
        try:
            made: Sequence[Reply | None] = client.ask([_worded(prompt, number) for prompt in prompts], harmless)
        except FailedRequestsError as error:
            made, down = error.replies, error.message if error.stopped else None
        replies = {prompt: reply for prompt, reply in zip(prompts, made, strict=True) if reply is not None}
        keys = self._keys(list(replies), number)
        self._cache.put_many({key: to_text(reply) for key, reply in zip(keys, replies.values(), strict=True)})
        self._replies[number] |= replies
        budget.spend(sum(self._tokens(*pair) for pair in replies.items()))
        if down is not None:
            raise InputError(f"judge {self.name}: {down} What the judges said is kept: run again")

    def _tokens(self, prompt: str, reply: Reply) -> int:
        return reply.tokens or estimated_tokens(prompt, self.settings.longest_reply)

    def _keys(self, prompts: Sequence[str], number: int) -> list[str]:
        return [fingerprint(self._identity, _worded(prompt, number)) for prompt in prompts]


def ask_panel(
    rows: pl.DataFrame, template: Template, settings: JudgesParams, path: str, cache: WorkCache[str]
) -> Votes:
    """The votes of the panel on the rows.

    Args:
        rows: columns `id`, `task`, `language`, `query` and `candidate`; equal texts are asked about once.
        template: of the prompt.
        settings: the panel and its limits.
        path: of these settings in params.yaml, for messages.
        cache: of replies.

    Raises:
        InputError: the run would exceed a limit, before any prompt is sent; or an endpoint is down or refuses the key,
            the model or the request. What was said by then is kept.
    """
    of_row = [
        template.render(row) for row in rows.select("task", "language", "query", "candidate").iter_rows(named=True)
    ]
    prompts = list(dict.fromkeys(of_row))
    judges = [JudgeEndpoint(name, own, prompts, cache) for name, own in settings.panel.items()]
    if any(judge.unasked for judge in judges):
        planned = {judge.name: judge.unasked for judge in judges}
        budget = CallBudget(settings, planned, path)
        echo(announcement(settings, planned, rows.height))
        _ask_all(judges, template.render(HARMLESS | {"task": rows["task"][0]}), path, budget)
    answers = {judge.name: judge.answers() for judge in judges}
    by_row = [{name: known[prompt] for name, known in answers.items()} for prompt in of_row]
    return Votes(_table(rows["id"], by_row), {judge.name: _counts(judge, by_row) for judge in judges})


def _ask_all(judges: Sequence[JudgeEndpoint], harmless: str, path: str, budget: CallBudget) -> None:
    """Ask all judges side by side; where one fails, the others go on to their end before the error is raised."""
    clients = [_client(judge, path) for judge in judges]
    lock = Lock()
    with (
        progress(total=budget.planned_calls, desc="judge", unit="call") as bar,
        ThreadPoolExecutor(len(judges)) as pool,
    ):

        def advance(calls: int) -> None:
            with lock:
                bar.update(calls)

        list(pool.map(lambda judge, client: judge.ask(client, harmless, budget, advance), judges, clients))
    for client in clients:
        client.close()


def _client(judge: JudgeEndpoint, path: str) -> EndpointClient:
    try:
        from babelshelf.endpoint.client import EndpointClient  # noqa: PLC0415 - slow, and of an extra
    except ModuleNotFoundError as error:
        raise InputError(f"{path}: judges need a package: {INSTALL}") from error
    return EndpointClient(judge.settings, f"{path}.panel.{judge.name}", judge.settings.key_variable)


def _worded(prompt: str, number: int) -> str:
    return f"{REMINDER}{prompt}" if number else prompt


def _batches(prompts: list[str], size: int) -> Iterator[list[str]]:
    return (prompts[start : start + size] for start in range(0, len(prompts), size))


def _table(ids: pl.Series, by_row: Sequence[dict[str, str]]) -> pl.DataFrame:
    names = [
        {
            YES: [judge for judge, answer in answers.items() if answer == YES],
            NO: [judge for judge, answer in answers.items() if answer == NO],
            "none": [judge for judge, answer in answers.items() if answer not in LABELS],
        }
        for answers in by_row
    ]
    schema = dict.fromkeys((YES, NO, "none"), pl.List(pl.String))
    return majority(pl.DataFrame(names, schema=schema).with_columns(id=ids))


def majority(votes: pl.DataFrame) -> pl.DataFrame:
    """`votes` (lists `yes`, `no`, `none`) with the `label` that more than half of all say, null without a majority."""
    half = pl.sum_horizontal(pl.col(name).list.len() for name in (YES, NO, "none")) / 2
    label = pl.when(pl.col(YES).list.len() > half).then(1).when(pl.col(NO).list.len() > half).then(0)
    return votes.with_columns(label=label.cast(pl.Int8)).select("id", "label", YES, NO, "none")


def _counts(judge: JudgeEndpoint, by_row: Sequence[dict[str, str]]) -> dict[str, int]:
    given = Counter(answers[judge.name] for answers in by_row)
    return {answer: given[answer] for answer in ANSWERS} | judge.usage()
