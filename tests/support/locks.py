"""Holds every lock of ours that can be reached from an object, as somebody who never lets go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Protocol, cast

from tests.support.events import WAIT_S

_LOCKS = (type(threading.Lock()), type(threading.RLock()))


class Lockable(Protocol):
    """A lock, of either kind."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Wait for it."""

    def release(self) -> None:
        """Give it back."""


def locks_of(root: object) -> dict[str, Lockable]:
    """The locks in the attributes of `root` and of what it holds, each by its way there."""
    found: dict[str, Lockable] = {}
    seen: set[int] = set()
    ways: list[tuple[str, object]] = [(type(root).__name__, root)]
    while ways:
        way, each = ways.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, _LOCKS):
            found[way] = cast(Lockable, each)
        ways += [(f"{way}.{name}", part) for name, part in _parts(each)]
    return found


def _parts(each: object) -> list[tuple[str, object]]:
    if isinstance(each, MethodType):
        return [("self", each.__self__)]
    if isinstance(each, dict):
        return [(str(key), value) for key, value in list(each.items())]
    if isinstance(each, list | tuple | set | frozenset):
        return [(str(index), value) for index, value in enumerate(list(each))]
    if not any(kind.__module__.startswith("foxtrot.") for kind in type(each).__mro__):
        return []
    slots = [name for kind in type(each).__mro__ for name in getattr(kind, "__slots__", ())]
    held = {name: getattr(each, name) for name in slots if hasattr(each, name)}
    return [*getattr(each, "__dict__", {}).items(), *held.items()]


@contextmanager
def all_held(root: object) -> Iterator[list[str]]:
    """Another thread holds all of them in the body; yields how they are reached."""
    locks, holding, done = locks_of(root), threading.Event(), threading.Event()
    missed: list[str] = []

    def hold() -> None:
        held: list[Lockable] = []
        for way, lock in locks.items():
            if lock.acquire(timeout=WAIT_S):
                held.append(lock)
            else:
                missed.append(way)
        holding.set()
        done.wait(WAIT_S)
        for lock in held:
            lock.release()

    holder = threading.Thread(target=hold, name="holder")
    holder.start()
    try:
        assert holding.wait(WAIT_S * 2)
        assert not missed, f"somebody kept these locks for himself: {missed}"
        yield list(locks)
    finally:
        done.set()
        holder.join(WAIT_S)
