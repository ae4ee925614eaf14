"""A process with a rule runner, to be killed: `python -m tests.integration.rules.parent NODE idle|loop kernel|watchdog`.

It prints the number of its rule process and goes on until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from rules.processes.node import find_node
from rules.runner import RuleRunner
from tests.integration.rules.rule_runners import CONTEXT, USER, rule, rule_set


async def main(path: str, what: str, by: str) -> None:
    command = find_node(str(Path(path).parent)).command(None)
    runner = RuleRunner(replace(command, watchdog=0.2) if by == "watchdog" else command, timeout=600.0)
    await runner.start(rule_set({"loop": rule("for (;;) {}")}))
    sys.stdout.write(f"{runner.pids[0]}\n")
    sys.stdout.flush()
    if what == "loop":
        asyncio.create_task(runner.run(["loop"], USER, CONTEXT, event="1"))  # noqa: RUF006  we are killed before it ends
        await asyncio.sleep(0.2)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
