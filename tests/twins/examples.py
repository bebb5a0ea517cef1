"""How hypothesis runs here: the same examples on every machine, however slow. `make fuzz` looks further."""

from hypothesis import HealthCheck, settings


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
