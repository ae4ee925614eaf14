"""Rules for the fault tests: what they do is told to a receiver of its own, and their processes can be found when all is over."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.event import slice_page
from simulator.receiver import Receiver
from tests.support.background import in_background

#: As docs/rules.md names them; written again here, since the product's own list is under test.
LOGINS: Final = frozenset({"s", "ssa", "sens", "sepft", "seotpft", "seoobft", "sercft", "sertft"})
#: Tells the receiver of its run, thinks for some milliseconds, and adds a claim.
EFFECT: Final = """
function (user, context, callback) {
  const body = JSON.stringify({ log_id: 'effect', type: 's', user_id: user.user_id });
  const request = require('http').request(configuration.EFFECTS, { method: 'POST' }, (response) => {
    response.resume().on('end', () => setTimeout(() => {
      context.idToken['https://acme.example/user'] = user.user_id;
      callback(null, user, context);
    }, Number(configuration.THINK)));
  });
  request.on('error', callback);
  request.end(body);
}
"""


@dataclass(slots=True)
class FaultRules:
    """A folder of rules, made for one stack."""

    folder: Path
    effects: Receiver
    #: In the environment of their processes, and of no others.
    mark: str = field(default_factory=lambda: f"faults-{uuid.uuid4().hex}.invalid")

    def write(self, name: str, source: str) -> None:
        (self.folder / f"{name}.js").write_text(source)

    def settings(self, **configuration: object) -> dict[str, str]:
        """Returns the settings of a consumer with them. `configuration` besides the address of the receiver of effects."""
        path = self.folder.parent / f"configuration-{uuid.uuid4().hex[:8]}.json"
        path.write_text(json.dumps({"EFFECTS": f"{self.effects.url}/", **configuration}))
        return {
            "RULES_DIR": str(self.folder),
            "RULES_CONFIGURATION": str(path),
            "NO_PROXY": self.mark,  # one of the few variables that rule processes inherit
            "no_proxy": self.mark,
        }

    @property
    def runs(self) -> Counter[str]:
        """How often `EFFECT` began, by user."""
        return Counter(entry.call.user_id for entry in self.effects.journal.all)

    def processes(self) -> list[int]:
        """Returns the ids of the rule processes that are there at the moment."""
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if self._is_ours(path)]

    def kill(self, consumer: int) -> None:
        """Kills the rule processes of a consumer that works, as the kernel does where memory is short."""
        found = [pid for pid in self.processes() if _parent(pid) == consumer]
        assert found, "no rule process is there"
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _is_ours(self, environ: Path) -> bool:
        with suppress(OSError):
            # Of the consumers themselves it is what they were forked with: without the mark.
            return environ.stat().st_uid == os.getuid() and self.mark.encode() in environ.read_bytes()
        return False


def _parent(pid: int) -> int | None:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def fault_rules(folder: Path) -> Iterator[FaultRules]:
    """Yields an empty folder of rules and a receiver of their effects."""
    (folder / "rules").mkdir()
    with in_background(Receiver()) as (effects,):
        yield FaultRules(folder / "rules", effects)


def user_of(entry: bytes) -> str:
    (event,) = slice_page(b"[" + entry + b"]")
    return event.user_id


def awaits_rules(entry: bytes) -> bool:
    """Whether the rules of these tests run on it: a login with a user."""
    (event,) = slice_page(b"[" + entry + b"]")
    return event.type in LOGINS and bool(event.user_id)


def member_of(entry: bytes, body: bytes) -> Mapping[str, Any] | None:
    """Returns the member `rules` of a body that is otherwise this entry, byte for byte; None: it is not."""
    end = entry.rindex(b"}")
    head, tail = entry[:end] + b',"rules":', entry[end:]
    if not (body.startswith(head) and body.endswith(tail)):
        return None
    found = json.loads(body[len(head) : len(body) - len(tail)])
    return found if isinstance(found, dict) else None


def outcomes(member: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns (rule, outcome) of each, in their order."""
    return [(step["rule"], step["outcome"]) for step in member["rules"]]
