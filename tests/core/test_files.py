"""Files are whole or not there, and work of other inputs is never taken up."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from babelshelf.core.files import read_json, replacing, work_dir, write_json
from babelshelf.core.partial_work import fingerprint, partial_work


class BrokenOffError(Exception):
    """The writer's own failure."""


def break_off(path: Path, inner: Path) -> None:
    """Fail in the middle of writing `path`, a file, or a folder with the file `inner`."""
    with replacing(path) as temporary:
        (temporary / inner).parent.mkdir(exist_ok=True)
        (temporary / inner).write_text("half of the n")
        raise BrokenOffError


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_is_replaced_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for text in ("old", "new"):
        with replacing(path) as temporary:
            temporary.write_text(text)
            assert path.exists() == (text == "new")
        assert path.read_text() == text
    assert names(tmp_path) == ["new", "new/a.txt"]


def test_a_folder_is_replaced_with_all_that_was_in_it(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("old", "new"):
        with replacing(path) as temporary:
            temporary.mkdir()
            (temporary / name).write_text(name)
    assert names(tmp_path) == ["model", "model/new"]


def test_an_error_leaves_the_old_file_and_no_half_of_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(BrokenOffError):
        break_off(path, Path())
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_leaves_the_old_folder_and_no_half_of_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    with pytest.raises(BrokenOffError):
        break_off(path, Path("weights"))
    assert (path / "weights").read_text() == "old"
    assert names(tmp_path) == ["model", "model/weights"]


def test_json_is_rounded_to_six_digits_on_every_level_and_keeps_its_letters(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"f1": 2 / 3, "by": {"de": [1 / 3, (1e-9, 7)]}, "name": "漢", "on": True})
    assert read_json(path) == {"f1": 0.666667, "by": {"de": [0.333333, [0.0, 7]]}, "name": "漢", "on": True}
    assert "漢" in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8").endswith("}\n")


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"f1": 1.0})
    with pytest.raises(TypeError):
        write_json(path, {"f1": object()})
    assert read_json(path) == {"f1": 1.0}
    assert names(tmp_path) == ["metrics.json"]


def test_partial_work_of_an_experiments_copy_lives_in_the_main_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", "/main")
    assert work_dir() == Path("/main/.cache")
    monkeypatch.delenv("DVC_ROOT")
    assert work_dir() == Path(".cache")


def test_fingerprint_is_of_a_files_contents_not_of_its_folder_or_age(tmp_path: Path) -> None:
    here, there = tmp_path / "here" / "a.txt", tmp_path / "there" / "a.txt"
    for path in (here, there):
        path.parent.mkdir()
        path.write_text("same")
    assert fingerprint(here) == fingerprint(there)
    there.write_text("other")
    assert fingerprint(here) != fingerprint(there)


def test_fingerprint_of_a_folder_changes_with_any_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.txt").write_text("one")
    seen = [fingerprint(tmp_path)]
    (tmp_path / "deep" / "a.txt").write_text("two")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "deep" / "a.txt").rename(tmp_path / "deep" / "b.txt")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "c.txt").write_text("")
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == 4


def test_fingerprint_tells_parts_apart_by_value_type_order_and_cut() -> None:
    parts = [(1, 2), (2, 1), ("1", 2), (12,), ("ab", "c"), ("a", "bc"), ("abc",), ({"r": 32},), ({"r": 16},)]
    assert len({fingerprint(*part) for part in parts}) == len(parts)


def test_partial_work_is_found_again_after_an_error_and_gone_after_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with suppress(KeyboardInterrupt), partial_work("train", "rows", 1) as folder:
        folder.mkdir()
        (folder / "checkpoint").write_text("half")
        raise KeyboardInterrupt
    with partial_work("train", "rows", 2) as other:
        assert not other.exists()
    with partial_work("train", "rows", 1) as again:
        assert (again / "checkpoint").read_text() == "half"
    assert list((tmp_path / ".cache" / "train").iterdir()) == []


def test_partial_work_of_other_code_is_not_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with partial_work("train") as folder:
        pass
    edited = tmp_path / "edited.py"
    edited.write_text("changed = True\n")
    monkeypatch.setattr("babelshelf.core.files.__file__", str(edited))
    with partial_work("train") as other:
        assert other != folder


def test_partial_work_is_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with partial_work("train") as folder, pytest.raises(Timeout):
        FileLock(folder.with_suffix(".lock"), timeout=0.05).acquire()


def test_the_lock_of_partial_work_is_held_until_its_file_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    removed, unlink = [], Path.unlink

    def checked(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".lock":
            with pytest.raises(Timeout):
                FileLock(path, timeout=0).acquire()
            removed.append(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", checked)
    with partial_work("train") as folder:
        pass
    assert removed == [folder.with_suffix(".lock")]
