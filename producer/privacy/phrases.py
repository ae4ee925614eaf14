"""Finds many phrases in a text at once, in a time that grows with the text and not with their number. Pure.

The algorithm of Aho and Corasick, over words instead of letters, and read from the right: so the longest phrase that begins at a
place is known as soon as the place is reached. The entry of an attacker may hold thousands of values that overlap in every way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from producer.privacy.readings import ACCENTS

#: Thai, Kana and Han, which are written without spaces: a word is where one is looked for.
_UNSPACED: Final = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_UNSPACED}]|(?:[^\W{_UNSPACED}]|[{ACCENTS}])+|.", re.DOTALL)


class Phrases:
    """A phrase is found where its words stand as a whole: `ann` does not stand in `planned`."""

    def __init__(self, phrases: Iterable[str]) -> None:
        #: By node and the word to the left of what the node stands for. 0 is the root.
        self._next: dict[tuple[int, str], int] = {}
        #: The node of the longest phrase end that is left when a node's leads nowhere.
        self._fallback = [0]
        #: Characters of the longest phrase that begins at the place where a node is reached.
        self._length = [0]
        for phrase in phrases:
            self._add(phrase)
        self._link()

    def found(self, text: str) -> Iterator[tuple[int, int]]:
        """Returns start and end of the longest phrase at each place where one begins, from right to left."""
        node, place, follow = 0, len(text), self._next.get
        for word in reversed(_WORD.findall(text)):
            place -= len(word)
            while (following := follow((node, word))) is None and node:
                node = self._fallback[node]
            node = following or 0
            if length := self._length[node]:
                yield place, place + length

    def _add(self, phrase: str) -> None:
        node = 0
        for word in reversed(_WORD.findall(phrase)):
            following = self._next.setdefault((node, word), len(self._length))
            if following == len(self._length):
                self._length.append(0)
                self._fallback.append(0)
            node = following
        self._length[node] = len(phrase)

    def _link(self) -> None:
        """A node comes after those that are nearer to the root."""
        depth = [0] * len(self._length)
        for (node, _), following in self._next.items():
            depth[following] = depth[node] + 1
        for (node, word), following in sorted(self._next.items(), key=lambda edge: depth[edge[1]]):
            if node:
                other = self._fallback[node]
                while (other, word) not in self._next and other:
                    other = self._fallback[other]
                self._fallback[following] = self._next.get((other, word), 0)
            self._length[following] = self._length[following] or self._length[self._fallback[following]]
