"""`vllm serve` with an adapter, and the client of docs/serving.md: its p(yes) is that of transformers, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import tiny_lm
from tests.helpers.vllm_server import vllm_server
from tests.score.backends.test_vllm import TOLERANCE, adapted


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base model and an adapter that moves every answer."""
    root = tmp_path_factory.mktemp("served")
    adapted(root / "base", root / "adapter")
    return root / "base", root / "adapter"


@pytest.fixture(scope="module")
def server(models: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of `vllm serve` with the options of docs/serving.md, in fp32."""
    base, adapter = map(str, models)
    lora = ["--enable-lora", "--lora-modules", f"relevance={adapter}", "--max-lora-rank", "8"]
    own = ["--max-model-len", "64"]
    with vllm_server([*lora, *own], model=base, log=tmp_path_factory.mktemp("log") / "vllm.log") as url:
        yield f"{url}/v1"


def documented(root: Path, **values: str) -> dict[str, Any]:
    """What the client's code in docs/serving.md defines, with other values of its constants."""
    text = (root / "docs" / "serving.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    for name, value in values.items():
        code, replaced = re.subn(rf'(?m)^{name} = ".*"$', f"{name} = {value!r}", code)
        assert replaced == 1
    names: dict[str, Any] = {}
    exec(compile(code, "docs/serving.md", "exec"), names)
    return names


@pytest.mark.vllm
def test_the_documented_client_gets_p_yes(server: str, models: tuple[Path, Path], root: Path) -> None:
    base, adapter = map(str, models)
    found = documented(root, URL=server, BASE=base, MODEL=adapter)["p_yes"](tiny_lm.rows())
    expected = tiny_lm.scored(*models, tiny_lm.score_params(precision="fp32"), tiny_lm.rows())
    assert expected.std() > 0.05  # or any order of the rows would do
    print(f"the greatest difference of p(yes) is {np.abs(found - expected).max():.2e}")
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE["fp32"])
