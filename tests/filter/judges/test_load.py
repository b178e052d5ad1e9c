"""Ten thousand calls to an endpoint that fails, and a run that is killed: no row is lost, none is asked about twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.filter.judges.panels import ENDPOINT, ask, query
from tests.helpers.endpoints import FakeEndpoint, HttpReply, completed, failed, serving

pytestmark = pytest.mark.slow
ROWS = 10_000
CONCURRENCY = 16
STATUSES = (429, 500, 503)


def unreliable(prompt: str, before: int) -> HttpReply:
    """Late by up to 5 ms; a fifth of the requests fails, whatever failed before; a twentieth of replies is nonsense."""
    draw = random.Random(f"{prompt} {before}")
    time.sleep(draw.uniform(0, 0.005))
    if draw.random() < 0.2:
        return failed(draw.choice(STATUSES))
    return completed(draw.choices(["yes", "no", "perhaps"], [70, 25, 5])[0], tokens=20)


def test_of_ten_thousand_calls_each_is_a_vote_or_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)
    endpoint = FakeEndpoint(unreliable, query)
    changes = {"concurrency": CONCURRENCY, "retries": 2}
    with serving(endpoint):
        votes = ask({"a": endpoint}, tmp_path, ROWS, changes, max_calls=ROWS + 300)
        counts = votes.judges["a"]
        assert sum(counts[answer] for answer in ("yes", "no", "unreadable", "refused", "failed")) == ROWS
        assert votes.rows.height == ROWS
        assert set(endpoint.asked) >= {f"query {i}" for i in range(ROWS)}
        assert max(endpoint.asked.values()) <= 3
        assert endpoint.most_at_once <= CONCURRENCY
        repeated = sum(key.startswith("again") for key in endpoint.asked)
        assert 200 <= repeated <= 300  # of some 500, as far as the limit goes
        assert counts["calls"] + counts["failed"] <= ROWS + 300
        assert 20 <= counts["failed"] <= 200  # 0.2 to the third: 80 expected
        before = endpoint.asked.copy()
        again = ask({"a": endpoint}, tmp_path, ROWS, changes, max_calls=ROWS)
        asked = [key for key in endpoint.asked - before if not key.startswith("again")]
        assert len(asked) == counts["failed"]  # these alone, and what could not be read
        assert again.judges["a"]["failed"] < counts["failed"]


SCRIPT = """
    import json, sys
    from pathlib import Path
    from tests.filter.judges.panels import ask
    from tests.helpers.endpoints import FakeEndpoint
    url, cache, rows, changes = json.loads(sys.argv[1])
    votes = ask({"a": FakeEndpoint(None, url=url)}, Path(cache), rows, changes)
    print(json.dumps(votes.judges["a"]))
"""


@pytest.mark.ci
def test_a_killed_run_loses_one_batch_at_most(tmp_path: Path, root: Path) -> None:
    def answer(_query: str, _before: int) -> HttpReply:
        time.sleep(0.01)
        return completed("yes")

    endpoint = FakeEndpoint(answer, query)
    with serving(endpoint):
        changes = {"concurrency": 4, "retries": 0, "request": ENDPOINT["request"]}
        arguments = json.dumps([endpoint.url, str(tmp_path), 400, changes])
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), arguments]
        environment = os.environ | {"PYTHONPATH": str(root)}
        with subprocess.Popen(command, cwd=root, env=environment) as process:
            while sum(endpoint.asked.values()) < 100:
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
        before = sum(endpoint.asked.values())
        assert before < 400
        done = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
    counts = json.loads(done.stdout.splitlines()[-1])
    assert (counts["yes"], counts["failed"]) == (400, 0)
    assert len(endpoint.asked) == 400
    assert sum(endpoint.asked.values()) - 400 <= 4 * 4 + 4  # the batch under way, and what was on its way
