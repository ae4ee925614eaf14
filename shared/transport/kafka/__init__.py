"""The adapter for Kafka: the one package that knows kafka-python. Importing its modules costs 0.3 to 0.9 s; do it late.

`client` makes clients from settings, checks connections before that, and stops the library's exceptions; `group` is a member of
the consumer group, `publish` the active poller, `topics` everything that is read and written outside of a group.
"""

import warnings

# The library reads its schemas by a function that Python wants to be rid of: with PYTHONWARNINGS=error nothing would start.
warnings.filterwarnings("ignore", r"(read|open)_text is deprecated", DeprecationWarning)
