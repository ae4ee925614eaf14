"""The adapter for Kafka: the one package that knows kafka-python. Importing its modules costs 0.3 to 0.9 s; do it late.

`connection` turns settings into clients, `preflight` tells connection mistakes apart before any client is made, `topics` knows
what our topics look like, `errors` is where the library's exceptions stop.
"""
