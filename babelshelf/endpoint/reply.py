"""What an endpoint answers; apart from the client, which imports the optional package openai."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """The reply to a prompt.

    Attributes:
        text: empty if the endpoint refused the prompt.
        complete: whether the reply ended by itself, not at the limit of tokens.
        refused: whether the endpoint refused the prompt, or the model the answer.
        tokens: of prompt and reply, as the endpoint counts them; 0 where it does not say.
    """

    text: str
    complete: bool = True
    refused: bool = False
    tokens: int = 0
