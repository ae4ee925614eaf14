"""`HYPOTHESIS_PROFILE=thorough` looks long at what is pure (`make faults`); without it a property test takes a second or so."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.kafka.fixtures", "tests.logs"]

settings.register_profile("small", max_examples=100, stateful_step_count=50, deadline=None)
settings.register_profile(
    "thorough",
    max_examples=2_000,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "small"))
