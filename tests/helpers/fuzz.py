"""Bytes that look a little like files of labelled pairs, and a limit of time, for tests that want no traceback."""

from __future__ import annotations

import gzip
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hypothesis import strategies as st

SOME = st.sampled_from(
    [
        *"qclnaé,;\t\n\r\"'{}[]:\\\x00\x1f\ufeff\U0010ffff1 0",
        "query",
        "candidate",
        "label",
        "language",
        "en",
        "true",
        "null",
        "\r\n",
        "query,candidate,label,language\n",
        '{"query":"a","candidate":"b","label":1,"language":"en"}\n',
        "a,b,1,en\n",
    ]
)
BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(SOME, max_size=60).map(lambda parts: "".join(parts).encode()),
    st.lists(SOME, max_size=60).map(lambda parts: b"query,candidate,label,language\n" + "".join(parts).encode()),
    st.lists(SOME, max_size=40).map(
        lambda parts: b'{"query":"a","candidate":"b","label":1,"language":"en"}\n' + "".join(parts).encode()
    ),
    st.binary(max_size=80).map(lambda data: b"PAR1" + data + b"PAR1"),
    st.binary(max_size=200).map(gzip.compress),
    st.binary(max_size=80).map(lambda data: b"\x1f\x8b" + data),
    st.binary(max_size=80).map(lambda data: b"\x28\xb5\x2f\xfd" + data),
)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Fail if it takes longer: a hang must not hang the tests."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"longer than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
