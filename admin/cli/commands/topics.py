"""`topics`: what has to be on a Kafka cluster before anything runs."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from admin.cli.context import kafka_settings
from admin.cli.help import Commands
from admin.cli.options import number, option
from admin.cli.output import say, show_json, show_table

_OTHERWISE: Final = "the embedded log needs no topics"

commands = Commands("topics", "Create and show the topics on Kafka.")


@commands.command()
def create(
    partitions: Annotated[
        int | None, option("--partitions", number("COUNT", 1, 10_000), "Partitions of the topic of events; 6 if not given.")
    ] = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="Change nothing: print the commands of Kafka's own tools that do the same.")
    ] = False,
) -> None:
    """Create the topics that are missing.

    A topic that is there and differs is refused, and nothing is changed.

    Examples:
      auth0-webhooks topics create --partitions 12
      auth0-webhooks topics create --print
    """
    settings = kafka_settings(_OTHERWISE)

    from admin.actions import kafka  # importing kafka takes up to a second

    if print_only:
        for command in kafka.commands(settings, partitions):
            say(command)
        return
    report = kafka.create_topics(settings, partitions)
    for name in report.created:
        say(f"created  {name}")
    for name in report.present:
        say(f"present  {name}")


@commands.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the topics as they are on the cluster.

    Examples:
      auth0-webhooks topics show
    """
    settings = kafka_settings(_OTHERWISE)

    from admin.actions import kafka

    rows = kafka.describe_topics(settings)
    if as_json:
        show_json(rows)
    else:
        show_table(("topic", "partitions", "replicas", "configuration"), map(_cells, rows))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    configs = row["configs"]
    text = "missing" if configs is None else ", ".join(f"{name}={value}" for name, value in configs.items())
    return row["topic"], row["partitions"] or "-", row["replicas"] or "-", text or "not shown: no right to DESCRIBE_CONFIGS"
