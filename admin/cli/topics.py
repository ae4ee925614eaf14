"""`topics`: what has to be on a Kafka cluster before anything runs."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from admin.cli.output import say, show_json, show_table

_OTHERWISE: Final = "the embedded log needs no topics"

commands = typer.Typer(name="topics", help="Make and show the topics on Kafka.", no_args_is_help=True)


@commands.command()
def create(
    partitions: Annotated[
        int | None, typer.Option("--partitions", min=1, max=10_000, help="Partitions of the topic of events; 6 if not given.")
    ] = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="Change nothing: print the commands of Kafka's own tools that do the same.")
    ] = False,
) -> None:
    """Make the topics that are missing; refuse what is there and differs."""
    from admin.cli.context import settings_of_kafka
    from shared.transport.kafka.topics import topics

    settings = settings_of_kafka(_OTHERWISE, reached=not print_only)
    if print_only:
        for command in topics.commands(settings, partitions):
            say(command)
        return
    report = topics.create(settings, partitions)
    for name in report.created:
        say(f"created  {name}")
    for name in report.present:
        say(f"present  {name}")


@commands.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the topics as they are on the cluster."""
    from admin.cli.context import settings_of_kafka
    from shared.transport.kafka.topics import topics

    rows: list[dict[str, object]] = [
        {
            "topic": name,
            "partitions": topic.partitions if topic else None,
            "replicas": topic.replicas if topic else None,
            "configs": dict(topic.configs) if topic else None,
        }
        for name, topic in topics.show(settings_of_kafka(_OTHERWISE))
    ]
    if as_json:
        show_json(rows)
    else:
        _print_table(rows)


def _print_table(rows: list[dict[str, object]]) -> None:
    show_table(("topic", "partitions", "replicas", "configuration"), map(_cells, rows))


def _cells(row: dict[str, object]) -> tuple[object, ...]:
    configs = row["configs"]
    text = ", ".join(f"{name}={value}" for name, value in configs.items()) if isinstance(configs, dict) else "missing"
    return row["topic"], row["partitions"] or "-", row["replicas"] or "-", text or "not shown: no right to DESCRIBE_CONFIGS"


def register(app: typer.Typer) -> None:
    app.add_typer(commands)
