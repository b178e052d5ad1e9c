"""No credentials in what git tracks, as the scanner detect-secrets knows them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

PIN = re.compile(r"\s*[\w.]*revision: [0-9a-f]{40}")


def _found(files: list[Path]) -> list[str]:
    """File, line and kind of each secret.

    None are a line that ends with `pragma: allowlist secret`, and a commit of the hub that a model is pinned to.
    """
    secrets = SecretsCollection()
    with default_settings():  # nothing is sent anywhere to see if it is valid
        for file in files:
            secrets.scan_file(str(file))
    return [
        f"{file}, line {secret.line_number}: {secret.type}"
        for file, secret in secrets
        if not PIN.fullmatch(Path(file).read_text(encoding="utf-8").splitlines()[secret.line_number - 1])
    ]


def test_no_tracked_file_has_a_secret(root: Path) -> None:
    command = ["git", "ls-files", "-z"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    files = [root / name for name in names if (root / name).is_file()]
    assert root / "README.md" in files
    assert _found(files) == []


@pytest.mark.parametrize(
    ("file", "line", "kind"),
    [  # in pieces, so that the scan of this file does not find them
        ("config", "access_key_id = AKIA" + "QWERTYUIOP123456", "AWS Access Key"),
        ("config", "password = " + "hunter2hunter2", "Secret Keyword"),
        ("config", "connection_string = AccountName=a;AccountKey=" + "a1B2" * 21 + "a1==", "Azure Storage"),
        ("id_ed25519", "-----BEGIN OPENSSH " + "PRIVATE KEY-----", "Private Key"),
        ("service.json", '{"private_key": "-----BEGIN ' + 'PRIVATE KEY-----\\nMII"}', "Private Key"),
        ("notes.md", "export GH=ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789", "GitHub Token"),
    ],
)
def test_a_secret_is_found(tmp_path: Path, file: str, line: str, kind: str) -> None:
    (tmp_path / file).write_text(f"[remote]\n{line}\n", encoding="utf-8")
    assert any(f"{file}, line 2: {kind}" in found for found in _found([tmp_path / file])), _found([tmp_path / file])
