"""What must survive foxtrot has one place, the user's own."""

import errno
import stat
from pathlib import Path

import platformdirs
import pytest

from foxtrot.core.directories import DATA_VARIABLE, data_directory, make_private, write_private
from foxtrot.errors import ConfigurationError


def test_the_platforms_place_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting it is where such data belongs on this system."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert data_directory() == platformdirs.user_data_path("foxtrot", appauthor=False)
    assert data_directory().name == "foxtrot"


def test_the_environment_names_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """FOXTROT_DATA_DIR wins, and may begin with the user's home."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert data_directory() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(DATA_VARIABLE, "~/data")
    assert data_directory() == tmp_path / "data"


@pytest.mark.parametrize("named", ["data", "./x", "~nobody-of-this-name/x"])
def test_a_place_that_moves_with_the_shell_is_refused(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """A journal in another directory at each start would forget every order."""
    monkeypatch.setenv(DATA_VARIABLE, named)
    with pytest.raises(ConfigurationError, match=DATA_VARIABLE):
        data_directory()


@pytest.mark.parametrize("told", [Path("~/.local/share/foxtrot"), RuntimeError("no home")], ids=str)
def test_a_user_without_a_home_has_to_name_a_place(
    told: Path | RuntimeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in some containers; it would be another place in each directory, or an odd error."""

    def user_data_path(name: str, *, appauthor: bool) -> Path:
        if isinstance(told, RuntimeError):
            raise told
        return told

    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", user_data_path)
    with pytest.raises(ConfigurationError) as caught:
        data_directory()
    advice = "this user has no home; set it to an absolute path, such as /srv/foxtrot"
    assert str(caught.value) == f"{DATA_VARIABLE}: {advice}"


def test_a_private_directory_is_made_with_what_is_above_it(tmp_path: Path) -> None:
    """Everything that is made here is for this user alone."""
    make_private(tmp_path / "a" / "b")
    make_private(tmp_path / "a" / "b")
    for place in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_directory_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    """What stood above it before is left as it was."""
    tmp_path.chmod(0o755)
    (tmp_path / "a").mkdir(mode=0o755)
    make_private(tmp_path / "a")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_directory_that_all_share_is_left_to_them(tmp_path: Path) -> None:
    """Run as root with its data in /tmp, it would take /tmp from everybody else."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(PermissionError, match="shared with others; name a directory in it"):
        make_private(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    make_private(shared / "own")


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """For this user alone, whatever stood there before, and without a trace of the making."""
    path = tmp_path / "a" / "b.json"
    write_private(path, b"1")
    path.chmod(0o644)
    write_private(path, b"22")
    assert path.read_bytes() == b"22"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_private_file_that_cannot_be_written_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the news, not what was kept; the next attempt finds nothing in its way."""

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    path = tmp_path / "b.json"
    write_private(path, b"1")
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            write_private(path, b"22")
    assert path.read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [path]
    write_private(path, b"22")
