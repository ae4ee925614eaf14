"""`topics`: what has to be on a Kafka cluster before anything runs."""

from __future__ import annotations

from typing import Annotated, Final

import typer

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
    from admin.cli.operate import settings_of_kafka
    from shared.transport.kafka import topics

    settings = settings_of_kafka(_OTHERWISE)
    if print_only:
        for command in topics.commands(settings, partitions):
            typer.echo(command)
        return
    report = topics.create(settings, partitions)
    for name in report.created:
        typer.echo(f"created  {name}")
    for name in report.present:
        typer.echo(f"present  {name}")


@commands.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the topics as they are on the cluster."""
    import json

    from admin.cli.operate import settings_of_kafka
    from shared.transport.kafka import topics

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
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(rows)


def _print_table(rows: list[dict[str, object]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("topic", "partitions", "replicas", "configuration", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        configs = row["configs"]
        text = ", ".join(f"{name}={value}" for name, value in configs.items()) if isinstance(configs, dict) else "missing"
        text = text or "not shown: no right to DESCRIBE_CONFIGS"
        table.add_row(str(row["topic"]), str(row["partitions"] or "-"), str(row["replicas"] or "-"), text)
    Console(highlight=False, markup=False).print(table)


def register(app: typer.Typer) -> None:
    app.add_typer(commands)
