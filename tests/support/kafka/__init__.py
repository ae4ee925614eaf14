"""A real Kafka for tests: how one is found, started, stopped, killed and frozen. `fixtures` is what tests use."""
