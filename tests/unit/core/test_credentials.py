"""References are resolved, and a Secret shows itself to nobody."""

import copy
import errno
import io
import json
import os
import pickle
import sys
import traceback
from pathlib import Path
from types import ModuleType

import pytest

from foxtrot.core import credentials
from foxtrot.core.credentials import FILE_LIMIT, Secret, is_reference, resolve
from foxtrot.core.redaction import scrub
from foxtrot.errors import CredentialError

CANARY = "canary-5d1e-value"


def _resolve(reference: str, field: str = "venues.BINANCE.connect.secret") -> Secret:
    return resolve(reference, where="settings.json", field=field)


def _refused(reference: str) -> str:
    with pytest.raises(CredentialError) as caught:
        _resolve(reference)
    text = str(caught.value)
    assert text.startswith("settings.json: venues.BINANCE.connect.secret: ")
    return text.removeprefix("settings.json: venues.BINANCE.connect.secret: ")


def _private(path: Path, content: bytes = CANARY.encode(), mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return f"file:{path}"


# --- the box --------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [str, repr, format, "{:>40}".format, "{!r}".format, "%s".__mod__])
def test_a_secret_shows_its_source_only(show: object) -> None:
    """Every way to turn a secret into text names where it comes from."""
    assert "<Secret env:NAME>" in show(Secret(CANARY, "env:NAME"))  # type: ignore[operator]


def test_a_secret_cannot_be_dumped() -> None:
    """vars, pickle, JSON and attribute access give nothing away."""
    secret = Secret(CANARY, "env:NAME")
    for dump in (vars, pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            dump(secret)
        assert CANARY not in str(caught.value)
    shown = [repr(getattr(secret, name, None)) for name in dir(secret)]
    assert CANARY not in "".join(shown)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_secret_itself(duplicate: object) -> None:
    """Copying settings makes no second secret."""
    secret = Secret(CANARY, "env:NAME")
    assert duplicate(secret) is secret  # type: ignore[operator]


def test_a_secret_cannot_be_changed_or_hashed() -> None:
    """A secret is a constant, and no key of a dict."""
    secret = Secret(CANARY, "env:NAME")
    with pytest.raises(AttributeError):
        secret.x = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        del secret._label
    with pytest.raises(TypeError):
        hash(secret)


def test_secrets_are_compared_by_value() -> None:
    """Two boxes with the same value are equal; a box never equals a text."""
    assert Secret("ä" * 8, "env:A") == Secret("ä" * 8, "env:B")
    assert Secret("ä" * 8, "env:A") != Secret("b" * 8, "env:A")
    assert Secret(CANARY, "env:A") != CANARY


def test_a_traceback_with_locals_shows_no_secret() -> None:
    """A crash report that prints the locals of every frame of ours finds nothing."""
    value = "canary" + "-in-locals "
    try:
        _resolve(value)
    except CredentialError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in report.stack if "credentials.py" in frame.filename]
    ours = [frame for frame in ours if "test_" not in frame.filename]
    assert ours
    assert "canary" not in str([frame.locals for frame in ours])


def test_a_resolved_secret_is_scrubbed_from_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment a secret is known, no log line shows it."""
    monkeypatch.setenv("FOXTROT_TEST_SECRET", "canary-in-env-9")
    assert _resolve("env:FOXTROT_TEST_SECRET").reveal() == "canary-in-env-9"
    assert scrub("key canary-in-env-9 refused") == "key <redacted> refused"


# --- env: -----------------------------------------------------------------------------------------


def test_an_environment_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """env:NAME is the variable's value; the scheme's case does not count."""
    monkeypatch.setenv("FOXTROT_TEST_SECRET", CANARY)
    assert _resolve("env:FOXTROT_TEST_SECRET").reveal() == CANARY
    assert repr(_resolve("ENV:FOXTROT_TEST_SECRET")) == "<Secret env:FOXTROT_TEST_SECRET>"


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which variable to set."""
    monkeypatch.delenv("FOXTROT_TEST_SECRET", raising=False)
    expected = "env:FOXTROT_TEST_SECRET: the environment variable FOXTROT_TEST_SECRET is not set"
    assert _refused("env:FOXTROT_TEST_SECRET") == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is empty"),
        (f" {CANARY}", "begins or ends with white space; remove it"),
        (f"{CANARY}\r\nX-Evil: 1", "holds a line break or another control character"),
        ("x" * (FILE_LIMIT + 1), "is longer than 64 KiB"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(
    value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slips of the clipboard are found here, not by the venue."""
    monkeypatch.setenv("FOXTROT_TEST_SECRET", value)
    assert _refused("env:FOXTROT_TEST_SECRET") == f"env:FOXTROT_TEST_SECRET {problem}"


def test_a_secret_in_the_place_of_a_name_is_not_repeated() -> None:
    """Who writes the secret after env: does not find it in the error."""
    assert "canary" not in _refused("env:canary/value+with=signs")
    assert "Ab3" not in _refused("env:" + "Ab3" * 25)


# --- file: ----------------------------------------------------------------------------------------


def test_a_file_on_a_broken_disk_is_told_as_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk says while it is read names the reference, as every other trouble does."""

    def broken(handle: int, mode: str) -> io.BytesIO:
        os.close(handle)
        raise OSError(errno.EIO, "Input/output error")

    reference = _private(tmp_path / "secret")
    monkeypatch.setattr(credentials, "open", broken, raising=False)
    assert _refused(reference) == f"{reference}: cannot be read: Input/output error"


def test_a_private_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """file:PATH is the content without its last line feed; ~ is the home directory."""
    reference = _private(tmp_path / "key", f"{CANARY}\r\n".encode())
    assert _resolve(reference).reveal() == CANARY
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _resolve("file:~/key").reveal() == CANARY


def test_a_key_file_keeps_its_lines(tmp_path: Path) -> None:
    """A PEM key may have line breaks."""
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIE\n-----END PRIVATE KEY-----"
    assert _resolve(_private(tmp_path / "pem", f"{pem}\n".encode())).reveal() == pem


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_open_to_others_is_refused(mode: int, tmp_path: Path) -> None:
    """The error names the mode and the cure."""
    reference = _private(tmp_path / "key", mode=mode)
    expected = f"{reference}: may be used by others (mode {mode:04o}); run: chmod 600 on it"
    assert _refused(reference) == expected


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that somebody else can replace is none."""
    reference = _private(tmp_path / "key")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert _refused(reference) == f"{reference}: belongs to another user; it must be yours"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "the file does not exist"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (lambda path: os.mkfifo(path, 0o600), "is not a regular file"),
        (lambda path: path.symlink_to("/dev/null"), "is a symbolic link; name the file itself"),
        (lambda path: _private(path, b"x" * (FILE_LIMIT + 1)), "is larger than 64 KiB"),
        (lambda path: _private(path, b"canary\xff"), "is not UTF-8 text"),
    ],
)
def test_what_is_no_secret_file_is_refused(make: object, problem: str, tmp_path: Path) -> None:
    """Each reason has words of its own, and none waits or follows a link."""
    make(tmp_path / "key")  # type: ignore[operator]
    assert _refused(f"file:{tmp_path / 'key'}") == f"file:{tmp_path / 'key'}: {problem}"


@pytest.mark.parametrize("path", ["key", "", "./key", "/a\0b", "~other/key"])
def test_a_path_that_depends_on_the_directory_is_refused(path: str) -> None:
    """A secret is named by an absolute path."""
    assert _refused(f"file:{path}").startswith("file: must be followed by an absolute path")


def test_a_bad_file_leaves_no_bytes_in_the_error(tmp_path: Path) -> None:
    """The decoder's error, which holds the content, is not chained."""
    with pytest.raises(CredentialError) as caught:
        _resolve(_private(tmp_path / "key", b"canary\xff"))
    assert caught.value.__context__ is None


# --- keyring: -------------------------------------------------------------------------------------


def _keyring(monkeypatch: pytest.MonkeyPatch, get_password: object) -> None:
    module = ModuleType("keyring")
    module.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)


def test_a_keyring_entry_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """keyring:SERVICE/NAME asks the keyring; a name may hold slashes."""
    _keyring(monkeypatch, lambda service, name: f"{service}|{name}|{CANARY}")
    assert _resolve("keyring:binance/a/b").reveal() == f"binance|a/b|{CANARY}"


def test_a_missing_keyring_package_gives_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert _refused("keyring:binance/key").endswith("run: pip install keyring")


def test_a_missing_keyring_entry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that is not there is named."""
    _keyring(monkeypatch, lambda service, name: None)
    assert _refused("keyring:a/b") == "keyring:a/b: the keyring has no such entry"


def test_a_failing_keyring_says_nothing_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign error's class is shown, its text is not."""

    def fail(service: str, name: str) -> str:
        raise RuntimeError(CANARY)

    _keyring(monkeypatch, fail)
    assert _refused("keyring:a/b") == "keyring:a/b: the keyring cannot be read (RuntimeError)"


@pytest.mark.parametrize("target", ["", "binance", "binance/", "/key"])
def test_half_a_keyring_reference_is_refused(target: str) -> None:
    """Both service and name are needed."""
    assert _refused(f"keyring:{target}").startswith("keyring: must be followed by SERVICE/NAME")


# --- literals -------------------------------------------------------------------------------------


def test_a_literal_works_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    """A written-out secret is protected alike; the warning names the field only, once."""
    with caplog.at_level("WARNING", logger="foxtrot"):
        first = _resolve(CANARY, field="literal.once")
        second = _resolve(CANARY, field="literal.once")
    assert first == second
    assert repr(first) == "<Secret literal>"
    assert [record.foxtrot["event"] for record in caplog.records] == ["literal_secret"]
    assert "literal.once" in caplog.text
    assert CANARY not in caplog.text


def test_an_empty_literal_is_refused() -> None:
    """No secret is no secret."""
    assert _refused("") == "the secret is empty"


@pytest.mark.parametrize("value", [None, 5, ["env:A"], io.StringIO()])
def test_what_is_no_text_is_refused(value: object) -> None:
    """A secret given as a number or a list gets a clear error."""
    assert _refused(value).startswith("must be text")  # type: ignore[arg-type]


def test_references_are_told_from_literals() -> None:
    """Settings know which fields hold a secret itself."""
    assert [is_reference(text) for text in ("env:A", "FILE:/a", "keyring:a/b", "sk-1")] == [
        True, True, True, False,
    ]  # fmt: skip
