"""Make or refresh one environment from lock files: `_env.py ENVIRONMENT LOCK...`.

Runs on a bare Python, so it uses the standard library alone. All it says goes to stderr: stdout
belongs to the program that is started afterwards.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = "foxtrot-stamp.json"
BUILD_LOCK = ROOT / "requirements" / "build.txt"
WAIT_S = 900.0
INSTALL_S = 1800.0
# Of pip's settings only those are set that would break an installation into an environment.
PIP_ENVIRONMENT = {
    "PIP_USER": "0",
    "PIP_NO_INPUT": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class Trouble(Exception):
    """What went wrong and what to do about it, in one line."""


def say(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)


def base_python() -> str:
    """Return the Python that environments are made with, also when run from inside one."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def fingerprint(locks: list[Path]) -> dict[str, str]:
    """Describe all that an environment depends on; it is made anew when one entry differs."""
    sources = [BUILD_LOCK, *locks, ROOT / "pyproject.toml", Path(__file__).resolve()]
    prints = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sources}
    return {
        **prints,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "interpreter": base_python(),
        "place of the checkout": str(ROOT),
    }


def why_outdated(environment: Path, wanted: dict[str, str]) -> str | None:
    """Return what makes the environment unusable, or None if it is as wanted."""
    try:
        found = json.loads((environment / STAMP).read_text("utf-8"))
    except FileNotFoundError:
        return "an installation was interrupted" if any(environment.iterdir()) else ""
    except (OSError, ValueError):
        return "its stamp cannot be read"
    changed = [key for key in wanted if found.get(key) != wanted[key]]
    return f"changed: {', '.join(changed)}" if changed else None


@contextmanager
def locked(environment: Path) -> Iterator[None]:
    """Hold the environment's folder for this process; another run has to wait."""
    descriptor = os.open(environment, os.O_RDONLY)
    # A pip that outlives a killed run keeps the lock, so that nobody installs beside it.
    os.set_inheritable(descriptor, True)
    deadline = time.monotonic() + WAIT_S
    waiting = False
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Trouble(f"another run holds {environment} for too long; end it") from None
            if not waiting:
                say(f"Another run is preparing {environment.name}; waiting for it.")
                waiting = True
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def run(command: list[str], log: Path, counted: tuple[str, ...] = ()) -> None:
    """Run one step with its output in `log`, counting the lines that start as in `counted`."""
    show = sys.stderr.isatty()
    count = 0
    with log.open("a", encoding="utf-8", errors="replace") as sink:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            close_fds=False,
            env=os.environ | PIP_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        limit = threading.Timer(INSTALL_S, process.kill)
        limit.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                sink.write(line)
                if show and counted and line.startswith(counted):
                    count += 1
                    print(f"\r\033[K      {count} {line.split()[1]}", end="", file=sys.stderr)
            code = process.wait()
        finally:
            limit.cancel()
            process.kill()
            process.wait()
            if count:
                print("\r\033[K", end="", file=sys.stderr, flush=True)
    if code:
        tail = log.read_text("utf-8", "replace").splitlines()[-12:]
        say("\n".join(f"      | {line}" for line in tail))
        raise Trouble(f"{' '.join(command[2:5])} failed. Is the network up? All of it: {log}")


def build(environment: Path, locks: list[Path], wanted: dict[str, str]) -> None:
    """Fill the environment: interpreter, locked packages, foxtrot itself, stamp."""
    python = str(environment / "bin" / "python")
    log = environment / "install.log"
    say(f"[1/3] Making {environment} with {wanted['Python']}")
    (environment / STAMP).unlink(missing_ok=True)
    subprocess.run([base_python(), "-I", "-m", "venv", "--clear", str(environment)], check=True)

    names = ", ".join(lock.relative_to(ROOT).as_posix() for lock in locks)
    say(f"[2/3] Installing what {names} lists (needs the network once; about a minute)")
    pip = [python, "-I", "-m", "pip", "install", "--progress-bar", "off", "--no-compile"]
    # A lock is complete, so nothing is resolved. All are wheels: no foreign code is built.
    frozen = ["--require-hashes", "--no-deps", "--no-build-isolation", "--only-binary", ":all:"]
    frozen += ["--no-binary", "futu-api"]  # pure Python, and published as source alone
    run([*pip, *frozen, "-r", str(BUILD_LOCK)], log)
    listed = [argument for lock in locks for argument in ("-r", str(lock))]
    run([*pip, *frozen, *listed], log, ("Collecting",))

    say("[3/3] Adding foxtrot")
    run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], log)
    compile_all(environment, python)

    draft = environment / f"{STAMP}.draft"
    draft.write_text(json.dumps(wanted, indent=2), "utf-8")
    draft.replace(environment / STAMP)


def compile_all(environment: Path, python: str) -> None:
    """Compile the packages on all cores, which pip does on one; only the first start gains."""
    packages = next((environment / "lib").glob("python3*")) / "site-packages"
    command = [python, "-I", "-m", "compileall", "-qq", "-j", "0", str(packages)]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=INSTALL_S, stdout=subprocess.DEVNULL)


def prepare(environment: Path, locks: list[Path]) -> None:
    """Leave with the environment ready, having done no more than needed."""
    wanted = fingerprint(locks)
    try:
        environment.mkdir(parents=True, exist_ok=True)
        if why_outdated(environment, wanted) is None:
            return
        with locked(environment):
            reason = why_outdated(environment, wanted)
            if reason is None:
                return
            if reason:
                say(f"{environment.name} is made anew; {reason}.")
            started = time.monotonic()
            build(environment, locks, wanted)
            say(f"      ready after {time.monotonic() - started:.0f} s")
    except PermissionError as error:
        raise Trouble(unwritable(environment)) from error
    except OSError as error:
        raise Trouble(f"{environment}: {error.strerror or error}") from error
    except subprocess.CalledProcessError as error:
        raise Trouble(f"{error.cmd[0]} could not make {environment}") from error


def unwritable(environment: Path) -> str:
    """Say what to do about a checkout that cannot be written to."""
    return (
        f"cannot write to {environment}. Copy the checkout to a folder of your own, or name a "
        "folder for its environments: FOXTROT_ENVS=~/.cache/foxtrot"
    )


def main() -> int:
    """Prepare the environment named on the command line."""
    environment, *locks = (Path(argument) for argument in sys.argv[1:])
    try:
        prepare(environment, [ROOT / "requirements" / f"{lock}.txt" for lock in locks])
    except Trouble as trouble:
        say(f"foxtrot: {trouble}")
        return 1
    except KeyboardInterrupt:
        say("\nfoxtrot: interrupted; the next run begins again.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
