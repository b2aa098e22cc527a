"""A saved folder is whole or absent, is the one that was saved, and replaces nobody's files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fisc.core import CorruptFileError, DataError, WriteError, folders, read_folder, write_folder

KIND = "model"


def _save(path: Path, text: str) -> Path:
    with write_folder(path, kind=KIND) as new:
        (new / "card.json").write_text(text)
        (new / "parts").mkdir()
        (new / "parts" / "weights.bin").write_bytes(text.encode() * 1000)
    return path


def _card(path: Path) -> str:
    return read_folder(path, kind=KIND)["card.json"].read_text()


def _names(path: Path) -> set[str]:
    return {p.name for p in path.iterdir()}


def test_what_was_written_is_read_under_its_names(tmp_path: Path) -> None:
    files = read_folder(_save(tmp_path / "deep" / "a", "one"), kind=KIND)
    assert set(files) == {"card.json", "parts/weights.bin"}
    assert files["parts/weights.bin"].read_bytes() == b"one" * 1000
    assert _names(tmp_path / "deep") == {"a"}


def test_saving_again_replaces_all_of_the_old_folder(tmp_path: Path) -> None:
    _save(tmp_path / "a", "one")
    with write_folder(tmp_path / "a", kind=KIND) as new:
        (new / "card.json").write_text("two")
    assert set(read_folder(tmp_path / "a", kind=KIND)) == {"card.json"}
    assert _card(tmp_path / "a") == "two"
    assert _names(tmp_path) == {"a"}


class _Killed(BaseException):
    """Stands for the end of the process: no handler of an Exception may run."""


def _dying_save(path: Path, *, dies: bool, death: type[BaseException] = _Killed) -> None:
    with write_folder(path, kind=KIND) as new:
        (new / "card.json").write_text("two")
        if dies:
            raise death


@pytest.mark.parametrize("step", ["block", "seal", "first rename", "second rename", "removal"])
def test_a_death_at_any_step_leaves_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = _save(tmp_path / "a", "one")
    renames = 0
    rename = Path.rename

    def dying_rename(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if (step, renames) in (("first rename", 1), ("second rename", 2)):
            raise _Killed
        return rename(self, target)

    def dying_rmtree(name: Path, **_: bool) -> None:
        if step == "removal" and name.exists() and name.name.endswith(".older.part"):
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dying_rename)
        patch.setattr(folders.shutil, "rmtree", dying_rmtree)  # a dead process cleans nothing up
        if step == "seal":
            patch.setattr(folders, "sha256_file", lambda _: (_ for _ in ()).throw(_Killed()))
        with pytest.raises(_Killed):
            _dying_save(path, dies=step == "block")
    assert _card(path) == ("two" if step == "removal" else "one")
    _save(path, "three")  # the next one cleans up after the dead
    assert _card(path) == "three"
    assert not (tmp_path / ".a.older.part").exists()


def test_an_error_of_the_disk_in_the_swap_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path / "a", "one")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == path and not self.name.endswith(".older.part"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(WriteError, match="unchanged"):
        _save(path, "two")
    assert (path / "card.json").read_text() == "one"
    assert _names(tmp_path) == {"a"}


def test_an_error_of_the_caller_passes_through_and_changes_nothing(tmp_path: Path) -> None:
    path = _save(tmp_path / "a", "one")
    with pytest.raises(ZeroDivisionError):
        _dying_save(path, dies=True, death=ZeroDivisionError)
    assert _card(path) == "one"
    assert _names(tmp_path) == {"a"}


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    a, b = _save(tmp_path / "a", "one"), _save(tmp_path / "b", "two")
    shutil.copy(b / "parts" / "weights.bin", a / "parts" / "weights.bin")
    with pytest.raises(CorruptFileError, match=r"weights\.bin .*belongs to another"):
        read_folder(a, kind=KIND)


def _truncated(path: Path) -> None:
    (path / "parts" / "weights.bin").write_bytes(b"one" * 999)


def _missing(path: Path) -> None:
    (path / "card.json").unlink()


def _foreign(path: Path) -> None:
    (path / "parts" / "notes.txt").write_text("mine")


def _linked(path: Path) -> None:
    (path / "card.json").rename(path.parent / "elsewhere.json")
    (path / "card.json").symlink_to(path.parent / "elsewhere.json")


def _linked_folder(path: Path) -> None:
    shutil.move(path / "parts", path.parent / "elsewhere")
    (path / "parts").symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("harm", [_truncated, _missing, _foreign, _linked, _linked_folder])
def test_a_changed_folder_is_refused(tmp_path: Path, harm: object) -> None:
    path = _save(tmp_path / "a", "one")
    assert callable(harm)
    harm(path)
    with pytest.raises(CorruptFileError):
        read_folder(path, kind=KIND)


_SHA = "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        "null",
        '{"schema": "fisc.core.Folder/1", "kind": "model"}',
        '{"schema": "fisc.core.Folder/2", "kind": "model", "files": {}}',
        '{"schema": "fisc.core.Folder/1", "kind": 3, "files": {}}',
        '{"schema": "fisc.core.Folder/1", "kind": "model", "files": []}',
        '{"schema": "fisc.core.Folder/1", "kind": "model", "files": {"card.json": 1}}',
        '{"schema": "fisc.core.Folder/1", "kind": "model", "files": {"card.json": "abc"}}',
        *(
            json.dumps({"schema": "fisc.core.Folder/1", "kind": "model", "files": {name: _SHA}})
            for name in ("../b", "/etc/passwd", "parts/../../b", "", ".", "a\\b", "manifest.json", "a\0")
        ),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = _save(tmp_path / "a", "one")
    (path / "manifest.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"manifest\.json is damaged"):
        read_folder(path, kind=KIND)


def test_a_manifest_that_is_not_text_or_endless_is_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "a", "one")
    for content in (b"\xff\xfe", b" " * (1 << 21)):
        (path / "manifest.json").write_bytes(content)
        with pytest.raises(CorruptFileError, match="damaged"):
            read_folder(path, kind=KIND)
    (path / "manifest.json").unlink()
    with pytest.raises(CorruptFileError, match="has no manifest"):
        read_folder(path, kind=KIND)


def test_another_kind_and_no_folder_are_said(tmp_path: Path) -> None:
    path = _save(tmp_path / "a", "one")
    with pytest.raises(DataError, match="holds a saved model, not a saved agent"):
        read_folder(path, kind="agent")
    with pytest.raises(DataError, match="there is no folder"):
        read_folder(tmp_path / "b", kind=KIND)


def test_nobodys_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(WriteError, match="does not hold a saved model"):
        _save(tmp_path / "home", "one")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WriteError, match="is a file"):
        _save(tmp_path / "file", "one")
    path = _save(tmp_path / "a", "one")
    (path / "notes.txt").write_text("mine")
    with pytest.raises(WriteError, match=r"notes\.txt"):
        _save(path, "two")
    with (
        pytest.raises(WriteError, match="holds a saved model"),
        write_folder(_save(tmp_path / "b", "one"), kind="agent"),
    ):
        pass
    (tmp_path / "empty").mkdir()
    assert _card(_save(tmp_path / "empty", "one")) == "one"


def test_a_link_in_what_is_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="link"), write_folder(tmp_path / "a", kind=KIND) as new:
        (new / "card.json").symlink_to("/etc/passwd")
    assert not (tmp_path / "a").exists()
