"""Where foxtrot keeps what must survive it, and how it makes such places private."""

from __future__ import annotations

import os
from pathlib import Path

from foxtrot.errors import ConfigurationError

DATA_VARIABLE = "FOXTROT_DATA_DIR"
"""Environment variable that names the data directory, instead of the platform's place for it."""


def data_directory() -> Path:
    """Return the user's data directory, such as ~/.local/share/foxtrot; it may not exist yet.

    Raises:
        ConfigurationError: FOXTROT_DATA_DIR is not an absolute path, or names no user's home.
    """
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        import platformdirs

        return platformdirs.user_data_path("foxtrot", appauthor=False)
    try:
        path = Path(named).expanduser()
    except RuntimeError:
        raise ConfigurationError(DATA_VARIABLE, "", "begins with ~, but has no home") from None
    if not path.is_absolute():
        raise ConfigurationError(
            DATA_VARIABLE, "", "must be an absolute path, such as /srv/foxtrot"
        )
    return path


def make_private(directory: Path) -> None:
    """Make `directory` a place that only this user may enter, and what is missing above it too.

    Raises:
        OSError: It cannot be made, or belongs to somebody else.
    """
    for place in (*reversed(directory.parents), directory):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        directory.chmod(0o700)
