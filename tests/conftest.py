pytest_plugins = ["tests.kafka.fixtures", "tests.logs"]
