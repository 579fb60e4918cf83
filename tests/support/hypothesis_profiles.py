"""How hypothesis looks for examples: always, and in scripts/proof (`--hypothesis-profile=proof`).

A machine that has other things to do is slow, and that says nothing of what is tested.
"""

from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("suite", _PATIENT)
settings.register_profile("proof", _PATIENT, max_examples=3000)
settings.load_profile("suite")
