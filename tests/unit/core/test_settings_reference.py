"""What is derived from the settings' model: schema, reference page; and the examples."""

import json
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from foxtrot.core import logs, settings_reference
from foxtrot.core.settings import Applies, FeatureFlags, Settings
from foxtrot.core.settings_model import KEYS, applies

ROOT = Path(__file__).parents[3]


def _generator() -> ModuleType:
    loader = SourceFileLoader("generate_docs", str(ROOT / "scripts" / "generate-docs"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_schema_and_reference_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of the model: run scripts/generate-docs."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert _generator().main(["--check"]) == 0


def test_the_schema_knows_every_key_for_all_and_for_one_adapter() -> None:
    """An editor can complete and check every flag."""
    schema = settings_reference.schema()
    properties, patterns = schema["properties"], schema["patternProperties"]
    assert isinstance(properties, dict)
    assert isinstance(patterns, dict)
    assert {*properties} == {*KEYS, "venues", "strategies", "$schema"}
    assert [entry["$ref"] for entry in patterns.values()] == [f"#/properties/{k}" for k in KEYS]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "config").glob("*.json")), ids=lambda path: path.name
)
def test_the_examples_are_good(path: Path) -> None:
    """Every example loads, names its environment and holds no literal secret."""
    settings = Settings.load(path)
    (venue,) = settings.venues.values()
    assert venue.connect["environment"] == path.stem.partition("-")[2]
    assert "<redacted>" not in repr(venue)
    assert json.loads(path.read_text())["$schema"] == "./schema/settings.schema.json"


def test_every_flag_says_when_it_applies() -> None:
    """The engine's flags and the journal's wait for a restart, all others count at once."""
    later = {key for key in KEYS if applies(key) is not Applies.AT_ONCE}
    engine = {"engine.conflate_after_s", "engine.bounded_limit"}
    assert later == engine | {"journal.directory", "journal.durability"}


def test_the_log_levels_are_those_of_the_logs() -> None:
    """Every level that the settings allow can be set."""
    words = settings_reference.allowed(FeatureFlags, "logging.level")
    assert words == f"one of {', '.join(logs.LEVELS)}"
