"""A second broker in the cluster of one that runs already: topics can have two replicas, and lose one."""

from __future__ import annotations

import re
import secrets
from typing import Final

from tests.support.kafka.broker import JarsBroker
from tests.support.kafka.jars import install

_NODE: Final = "2"


class SecondBroker(JarsBroker):
    """Start `first` before it, and let that one make the topic of the groups' offsets."""

    def __init__(self, first: JarsBroker) -> None:
        super().__init__()
        self._properties |= {
            "node.id": _NODE,
            "process.roles": "broker",
            "controller.quorum.voters": first.voters,
            "listeners": f"PLAINTEXT://{self.bootstrap}",
        }
        self._format()

    def _format(self) -> None:
        """As any other node's data folder, but for the two ids that no other node of the cluster may have."""
        data = self.folder / "data"
        install().format(data)
        file = data / "meta.properties"
        text = re.sub("node.id=.*", f"node.id={_NODE}", file.read_text())
        file.write_text(re.sub("directory.id=.*", f"directory.id=A{secrets.token_urlsafe(16)[1:]}", text))
