"""The tables of docs/rules.md are those of the code."""

from __future__ import annotations

import json
from pathlib import Path

from rules.context_properties import PROPERTIES, PROTOCOLS, Given
from rules.modules.manifest import known_modules
from rules.outcome import ChainRun, ConsoleLine, RuleOutcome, Step
from rules.pipeline.member import document
from rules.rule import DEFAULT_EVENTS

DOCUMENT = Path(__file__).parents[3] / "docs/rules.md"
MODULES = DOCUMENT.with_name("rules-modules.md")


def _between(name: str, document: Path = DOCUMENT) -> str:
    return document.read_text("utf-8").partition(f"<!-- {name}: begin -->\n")[2].partition(f"<!-- {name}: end -->")[0]


def test_the_table_of_context_is_that_of_the_code() -> None:
    rows = [f"| `{row.path}` | {row.type} | {row.given} | {row.source} |\n" for row in PROPERTIES]
    assert _between("context") == "".join(rows)


def test_the_table_of_protocols_is_that_of_the_code() -> None:
    assert _between("protocol") == "".join(f"| `{kind}` | `{protocol}` |\n" for kind, protocol in PROTOCOLS.items())


def test_the_events_that_rules_run_on_are_named() -> None:
    text = DOCUMENT.read_text("utf-8")
    named = text.partition("on events of the types ")[2].partition(";")[0]
    assert {code.strip("` ,") for code in named.replace(" and ", " ").split()} == DEFAULT_EVENTS


def test_the_example_of_what_is_delivered_has_the_members_that_are_delivered() -> None:
    text = DOCUMENT.read_text("utf-8").partition("## What is delivered")[2]
    shown = json.loads(text.partition("```json\n")[2].partition("```")[0])["rules"]
    step = Step(rule="visits", outcome=RuleOutcome.KEPT, console=(ConsoleLine(level="log", text="visit 8"),))
    said = document({}, ChainRun(outcome=RuleOutcome.KEPT, user={}, context={}, steps=(step,)))
    assert _names(shown) == _names(said)
    assert _names(shown["claims"]) == _names(said["claims"])
    assert [_names(one) for one in shown["rules"]] == [_names(said["rules"][0])] * 2
    assert _names(shown["rules"][0]["console"][0]) == _names(said["rules"][0]["console"][0])


def _names(value: object) -> list[str]:
    assert isinstance(value, dict)
    return list(value)


def test_every_word_for_when_a_property_is_given_is_explained() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert all(f"*{word}*" in text for word in (Given.ALWAYS, Given.ASKED, Given.EMPTY))


def test_the_page_of_modules_lists_what_comes_along() -> None:
    known = known_modules()
    modules = [
        f"| `{one.name}` | {one.version or '-'} | {', '.join(one.pins) or '-'} | {one.why} |\n" for one in known.modules.values()
    ]
    assert _between("modules", MODULES) == "".join(modules)
    assert _between("globals", MODULES) == "".join(f"| `{name}` | `{module}` |\n" for name, module in known.globals.items())
    assert _between("not offered", MODULES) == "".join(f"| `{name}` | {why} |\n" for name, why in known.not_offered.items())
