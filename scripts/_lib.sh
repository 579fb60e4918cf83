# Shared by the scripts beside it: finds a Python and prepares environments. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VERSIONS="3.13 3.12 3.11"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

ENVS=${FOXTROT_ENVS:-$ROOT} # where the environments are kept
mkdir -p "$ENVS" 2>/dev/null || fail "cannot make FOXTROT_ENVS=$ENVS"
ENVS=$(cd "$ENVS" && pwd -P)

# A shim may be on the PATH and still not run, so each candidate has to prove itself.
works() { # works COMMAND [X.Y]
    "$1" -I - "${2:-}" >/dev/null 2>&1 <<'PROBE'
import ensurepip, sys, venv
want = sys.argv[1]
have = "%d.%d" % sys.version_info[:2]
sys.exit(have != want if want else sys.version_info < (3, 11))
PROBE
}

pyenv_python() { # pyenv_python X.Y
    command -v pyenv >/dev/null 2>&1 || return 1
    local version
    version=$(pyenv versions --bare 2>/dev/null | grep -E "^${1//./\\.}\.[0-9]+$" | tail -n 1)
    [ -n "$version" ] && printf '%s\n' "$(pyenv root)/versions/$version/bin/python"
}

find_version() { # find_version X.Y: prints a Python of exactly this version
    local candidate
    for candidate in "python$1" "$(pyenv_python "$1")"; do
        if [ -n "$candidate" ] && works "$candidate" "$1"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

find_python() { # prints a Python that can make environments; PYTHON=... decides
    local version
    if [ -n "${PYTHON:-}" ]; then
        works "$PYTHON" || fail "PYTHON=$PYTHON is no working Python >= 3.11 with venv"
        command -v "$PYTHON"
        return 0
    fi
    for version in $VERSIONS; do
        find_version "$version" && return 0
    done
    if works python3; then
        command -v python3
        return 0
    fi
    fail "no Python >= 3.11 with venv found. Install one (Debian and Ubuntu: apt install" \
        "python3-venv; Fedora: dnf install python3; or https://www.python.org/downloads)," \
        "or name one: PYTHON=/path/to/python $0"
}

prepare() { # prepare NAME LOCK...: makes or refreshes the environment NAME from lock files
    local name=$1 python=${PYTHON:-}
    shift
    # The environment's own Python is the quickest to find, where it still runs.
    if [ -z "$python" ] && works "$ENVS/$name/bin/python"; then
        python=$ENVS/$name/bin/python
    fi
    if [ -z "$python" ]; then
        python=$(find_python)
    else
        works "$python" || fail "PYTHON=$python is no working Python >= 3.11 with venv"
    fi
    "$python" -I "$ROOT/scripts/_env.py" "$ENVS/$name" "$@"
}

# Of the tests: with the vnpy desktop, or without it, its tests skipped, where that cannot be had.
prepare_tests() {
    unset PYTHONDONTWRITEBYTECODE # or each of some hundred processes compiles foxtrot for itself
    prepare .venv-test dev desktop && return 0
    say "the desktop's packages cannot be had here (see above): going on without them"
    prepare .venv-test dev
}

# Ends a command that hangs, where coreutils has the tool for it: the command and all it started,
# or, at a terminal, the command alone, as Ctrl-C would not reach a group of its own.
limited() { # limited SECONDS COMMAND...
    local seconds=$1 flags=(--kill-after=10)
    shift
    if [ -t 0 ]; then
        flags+=(--foreground)
    fi
    if command -v timeout >/dev/null 2>&1; then
        timeout "${flags[@]}" "$seconds" "$@"
    else
        "$@"
    fi
}
