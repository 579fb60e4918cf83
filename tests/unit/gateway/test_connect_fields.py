"""What a user gives to `connect`."""

from __future__ import annotations

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.gateway.connect_fields import ConnectFields, Setting


@pytest.mark.parametrize("given", [None, 3, "environment", ["environment"]])
def test_a_setting_that_is_no_mapping_is_refused_in_words(given: Setting) -> None:
    """A script's mistake is told where it was made, and no value is shown."""
    with pytest.raises(ConfigurationError) as caught:
        ConnectFields(given, ("environment",))
    kind = type(given).__name__
    assert str(caught.value) == f"connect: takes fields and their values, not {kind}"
