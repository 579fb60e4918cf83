"""Which gateway a command means: that of a settings file, or one that options describe."""

from __future__ import annotations

import contextlib
import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from foxtrot.app.options import Config, Host, Port, Remote, Venue
from foxtrot.app.venues import setting
from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.registry import adapter_class

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

T = TypeVar("T")

_OF_THE_FILE = ("config", "venue")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway; each field is an option, and each but the first two a field of `connect`.

    Attributes:
        kind: The adapter's name in settings files.
        title: The venue's name for people.
        unused: Fields of `connect` that only who trades needs; nobody here does.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    unused: ClassVar[frozenset[str]] = frozenset()

    config: Config = None
    venue: Venue = ""
    host: Host = ""
    port: Port = 0
    allow_remote: Remote = False

    def use(self, connect: Callable[[Setting], T]) -> T:
        """Use what `connect` takes; an error names the place in the file, or the option.

        Raises:
            ConfigurationError: Neither or both are named, or something is wrong in them.
        """
        if self.config is None:
            with _blamed(lambda field: ("command line", _option(field))):
                return connect({"environment": "paper", **self._said()})
        if self._said():
            options = ", ".join(_option(each.name) for each in self._options())
            problem = f"names the gateway already; leave out {options}"
            raise ConfigurationError("command line", "--config", problem)
        name, entry = self._of_file(self.config)
        with _blamed(lambda field: (str(self.config), f"venues.{name}.connect.{field}")):
            return connect({key: each for key, each in entry.items() if key not in self.unused})

    def open_adapter(self, stack: ExitStack) -> tuple[MainEngine, str]:
        """An engine whose one adapter reads, but does not trade; see `past.write_csv`."""
        from foxtrot.engine.main_engine import MainEngine

        engine = stack.enter_context(MainEngine())
        adapter = engine.add_adapter(adapter_class(self.kind))
        self.use(lambda connect: adapter.connect({**connect, "read_only": True}))
        return engine, adapter.adapter_name

    def _options(self) -> list[msgspec.structs.FieldInfo]:
        return [each for each in msgspec.structs.fields(self) if each.name not in _OF_THE_FILE]

    def _said(self) -> Setting:
        values = ((each, getattr(self, each.name)) for each in self._options())
        return {each.name: value for each, value in values if value != each.default}

    def _of_file(self, path: Path) -> tuple[str, Setting]:
        settings = Settings.load(path)
        named = [
            name
            for name, entry in settings.venues.items()
            if entry.adapter == self.kind and (not self.venue or name.upper() == self.venue.upper())
        ]
        if len(named) == 1:
            return named[0], setting(settings.venues[named[0]].connect)
        meant = " that are meant" if self.venue else ""
        problem = f"has {len(named) or 'no'} venues of {self.title}{meant}; name one with --venue"
        raise ConfigurationError(str(path), "venues", problem)


def placed(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a place where its signature has `place`, of that type."""
    signature = inspect.signature(command, eval_str=True)
    kind = signature.parameters["place"].annotation
    hints = typing.get_type_hints(kind, include_extras=True)
    options = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=hints[each.name],
        )
        for each in msgspec.structs.fields(kind)
    ]

    @functools.wraps(command)
    def run(**said: object) -> None:
        place = kind(**{each.name: said.pop(each.name) for each in options})
        command(place=place, **said)

    parameters: list[inspect.Parameter] = []
    for each in signature.parameters.values():
        keyword = each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += options if each.name == "place" else [keyword]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


@contextlib.contextmanager
def _blamed(place_of: Callable[[str], tuple[str, str]]) -> Iterator[None]:
    """Let an error about a field of the setting say where the user wrote it."""
    try:
        yield
    except ConfigurationError as error:
        if error.where != "connect":
            raise
        raise type(error)(*place_of(error.field), error.problem) from None


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")
