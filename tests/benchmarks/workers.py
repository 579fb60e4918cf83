"""Processes that measure: what one client leaves on its heap must not slow another one down."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_LONGEST_S = 120.0


class Worker:
    """A fresh Python process that lives as long as the `with`; it is warm from the second run on.

    What it runs is a function of a module, with arguments and a result that can be pickled.
    """

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def run(self, measure: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Measure there, with a swept heap."""
        self._pool.submit(gc.collect).result(_LONGEST_S)
        return self._pool.submit(measure, *args, **kwargs).result(_LONGEST_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def in_fresh_process(measure: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Measure once in a process that did nothing before."""
    with Worker() as worker:
        return worker.run(measure, *args, **kwargs)
