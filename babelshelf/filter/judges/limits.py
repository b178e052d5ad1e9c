"""The limits of a run of judges: calls and tokens, estimated before the first call; and which texts go where."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from threading import Lock
from urllib.parse import urlsplit

from babelshelf.core.errors import InputError
from babelshelf.filter.params import JudgesParams

BYTES_A_TOKEN = 3  # of UTF-8: Latin text has about 4, Chinese and Japanese 3, so the estimate is rather too high
FRAME = 16  # tokens that a chat template adds


class CallBudget:
    """What a run may still ask.

    Args:
        settings: the limits.
        planned: the prompts that each judge is still to be asked, by name.
        path: of the settings in params.yaml, for messages.

    Raises:
        InputError: the planned calls or their estimated tokens are more than a limit.
    """

    def __init__(self, settings: JudgesParams, planned: Mapping[str, Sequence[str]], path: str) -> None:
        self.planned_calls = sum(map(len, planned.values()))
        tokens = planned_tokens(settings, planned)
        for name, value in (("max_calls", self.planned_calls), ("max_tokens", tokens)):
            if value > getattr(settings, name):
                about = "about " * (name == "max_tokens")
                raise InputError(
                    f"{path}.{name}: the judges would need {about}{value:,}, more than {getattr(settings, name):,}: "
                    "raise it, name fewer judges, or let the rule flag fewer rows; nothing was asked"
                )
        self._repeated = settings.max_calls - self.planned_calls  # calls for replies that can't be read
        self._tokens = settings.max_tokens
        self._path = path
        self._lock = Lock()

    def take_repeated(self, wanted: int) -> int:
        """How many of the wanted repeated calls may be made: all planned ones come first."""
        with self._lock:
            taken = min(wanted, self._repeated)
            self._repeated -= taken
        return taken

    def spend(self, tokens: int) -> None:
        """Count the tokens of replies."""
        with self._lock:
            self._tokens -= tokens

    def check_tokens(self) -> None:
        """Raise InputError once the tokens are spent: the estimate was too low."""
        if self._tokens <= 0:
            raise InputError(
                f"{self._path}.max_tokens: spent before all calls were made, as their tokens are more than estimated: "
                "raise it, then run again; what the judges said is kept"
            )


def planned_tokens(settings: JudgesParams, planned: Mapping[str, Sequence[str]]) -> int:
    """The estimated tokens of prompts and replies."""
    return sum(
        estimated_tokens(prompt, settings.panel[name].longest_reply)
        for name, prompts in planned.items()
        for prompt in prompts
    )


def estimated_tokens(prompt: str, longest_reply: int) -> int:
    """Tokens of a prompt and its reply, without a tokenizer, for texts in any language."""
    return -(-len(prompt.encode()) // BYTES_A_TOKEN) + FRAME + longest_reply


def announcement(settings: JudgesParams, planned: Mapping[str, Sequence[str]], rows: int) -> str:
    """A line on what is asked, and which texts leave this machine for where."""
    calls = sum(map(len, planned.values()))
    hosts = {name: urlsplit(settings.panel[name].base_url) for name, prompts in planned.items() if prompts}
    away = [f"{url.netloc} ({name})" for name, url in hosts.items() if not is_loopback(url.hostname or "")]
    where = (
        f"their queries and candidates leave this machine for {', '.join(away)}"
        if away
        else "no text leaves this machine"
    )
    return f"judges: {calls:,} calls about {rows:,} rows, about {planned_tokens(settings, planned):,} tokens; {where}"


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
