"""The hypothesis profile of scripts/proof: `-p tests.support.proof_profile`."""

from hypothesis import settings

settings.register_profile("proof", max_examples=5000, deadline=None)
