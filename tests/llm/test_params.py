"""`precision: auto` is bf16 where the processor computes in it, and fp32 elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from babelshelf.core.params import Section
from babelshelf.llm import params
from babelshelf.llm.params import Precision


class _Params(Section):
    precision: Precision


@pytest.fixture(autouse=True)
def _without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags : fma avx2", "fp32"),
        ("flags : avx2 avx512f avx512bw", "fp32"),  # AVX-512 alone has no products of bf16
        ("flags : avx2 avx512_bf16", "bf16"),
        ("flags : avx2 amx_bf16 amx_tile", "bf16"),
    ],
)
def test_auto_follows_the_flags_of_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, expected: str
) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name : A CPU\n{flags}\n")
    monkeypatch.setattr(params, "CPU_INFO", tmp_path / "cpuinfo")
    assert _Params(precision="auto").precision == expected


def test_auto_is_fp32_where_nothing_is_known_of_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "CPU_INFO", tmp_path / "missing")
    assert _Params(precision="auto").precision == "fp32"


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_follows_the_gpu(monkeypatch: pytest.MonkeyPatch, supported: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported or including_emulation)
    assert _Params(precision="auto").precision == expected


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_named_stays(precision: str) -> None:
    assert _Params(precision=precision).precision == precision


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected auto, bf16 or fp32"):
        _Params(precision="fp16")
