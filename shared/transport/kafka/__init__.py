"""The adapter for Kafka: the one package that knows kafka-python. Importing its modules costs 0.3 to 0.9 s; do it late.

`connection` turns settings into clients, `preflight` tells connection mistakes apart before any client is made, `topics` knows
what our topics look like, `errors` is where the library's exceptions stop.
"""

import warnings

# The library reads its schemas by a function that Python wants to be rid of: with PYTHONWARNINGS=error nothing would start.
warnings.filterwarnings("ignore", r"(read|open)_text is deprecated", DeprecationWarning)
