"""Where a text repeats a value: in any spelling and encoding, as a whole, in a time that grows with the text alone."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from typing import Final
from unicodedata import normalize
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producer.privacy.phrases import _WORD, Phrases
from producer.privacy.readings import Reading, folded, readings, unescaped
from producer.privacy.repeats import Hidden

VALUES: Final = ["ann.o'neil+x@example.com", "Zoë O'Neil", "+49 151 1234", "2001:db8::1", "José", "李小龙", "Straße 5", "annie"]
#: How a text may write a value.
WRITINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "capitals": str.upper,
    "url": lambda value: quote(value, safe=""),
    "url in small letters": lambda value: quote(value, safe="").lower(),
    "form": quote_plus,
    "browser": lambda value: quote(value, safe="!'()*"),
    "every byte": lambda value: "".join(f"%{octet:02x}" for octet in value.encode()),
    "html": html.escape,
    "html numbers": lambda value: "".join(f"&#{ord(letter)};" for letter in value),
    "html hex": lambda value: "".join(f"&#x{ord(letter):X};" for letter in value),
    "json": lambda value: json.dumps(value)[1:-1],
    "old script": lambda value: "".join(f"%u{ord(letter):04x}" for letter in value),
    "taken apart": lambda value: normalize("NFD", value),
}
AROUND: Final = [("<", ">"), ("", ""), ('"', '"'), ("a=", "&b=1"), ("\n", "\r\n"), ("für ", " über")]


def hidden(*values: str, emails: bool = True) -> Hidden:
    return Hidden(dict.fromkeys(values, lambda _: "*"), otherwise=lambda _: "*", emails=emails)


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_found_however_it_is_written(value: str, writing: str) -> None:
    for before, after in AROUND:
        assert hidden(value).within(f"{before}{WRITINGS[writing](value)}{after}") == f"{before}*{after}"


@given(st.sampled_from(VALUES), st.lists(st.sampled_from(sorted(WRITINGS)), max_size=3), st.sampled_from(AROUND))
@example("annie", ["url", "json"], ('"', '"'))
def test_a_value_is_found_in_a_text_inside_of_a_text(value: str, writings: Sequence[str], around: tuple[str, str]) -> None:
    """A URL in the query of a URL in a JSON text."""
    text = value.join(around)
    for writing in writings:
        if writing != "capitals":  # of `\\n` they would make something else
            text = WRITINGS[writing](text)
    found = hidden(value).within(text)
    assert "*" in found
    assert folded(Reading(value)).text not in folded(Reading(unescaped(found))).text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("q=zed%40zed.com&a", "q=*&a"),
        ("%22zed@zed.com%22", "%22*%22"),
        ("zed&#64;zed.com", "*"),
        ("o'zed@zed.com's", "*'s"),
        ("'zed@zed.com'", "'*'"),
        ("100% zed@zed.com", "100% *"),
        ("u%3Dzed%2540zed.com%26b zed@zed.com", "u%3D*%26b *"),
    ],
)
def test_an_address_that_no_key_holds_is_found_by_its_form(text: str, shown: str) -> None:
    assert hidden().within(text) == shown
    assert hidden(emails=False).within(text) == text


@pytest.mark.parametrize(("text", "shown"), [("CORP\\nancy", "CORP\\*"), ("100%annie", "100%*"), ("a&annie;", "a&*;")])
def test_what_only_looks_like_an_escape_hides_nothing(text: str, shown: str) -> None:
    assert hidden("nancy", "annie").within(text) == shown


def test_a_name_without_spaces_around_it_is_found_where_a_script_has_none() -> None:
    assert hidden("李小龙").within("用户李小龙登录") == "用户*登录"
    assert hidden("ann").within("planned anna ann") == "planned anna *"


def test_the_longest_of_two_that_overlap_is_hidden() -> None:
    assert hidden("Ann", "Ann Lee", "Lee").within("Ann Lee, Lee and ann@lee.com") == "*, * and *"


# The search.


words = st.sampled_from(["a", "b", "aa", " ", "-", "é", "李"])
texts = st.lists(words, max_size=30).map("".join)


@given(st.lists(texts.filter(bool), max_size=12), texts)
@example(["a a", "a", "a a a"], "a a a a")
@example(["b a", "a b a"], "a b a a")
def test_the_longest_phrase_at_each_place_is_found(phrases: Sequence[str], text: str) -> None:
    begins = {0}
    for word in _WORD.findall(text):
        begins.add(max(begins) + len(word))
    whole = {
        place: max(
            (
                len(phrase)
                for phrase in phrases
                if text.startswith(phrase, place) and place + len(phrase) in begins and _ends_with_a_word(text, phrase, place)
            ),
            default=0,
        )
        for place in sorted(begins)
    }
    found = dict(Phrases(phrases).found(text))
    assert found == {place: place + length for place, length in whole.items() if length}


def _ends_with_a_word(text: str, phrase: str, place: int) -> bool:
    """Its words are those of the text there."""
    return _WORD.findall(text[place : place + len(phrase)]) == _WORD.findall(phrase)


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from([*VALUES, "%", "%25", "&#", "&amp;", "\\u00", "İ", "ﬁ", "e\u0301"])).map("".join)
)
@example("ﬁn")
@example("&#0;&#1;\\ud83d\\ude00%ud83d")
def test_what_is_found_in_a_reading_stands_in_the_text(text: str) -> None:
    for reading in readings(text):
        plain = folded(reading)
        for start in range(len(plain.text)):
            begin, end = plain.span(start, start + 1)
            assert 0 <= begin < end <= len(text)
        if plain.text:
            assert plain.span(0, len(plain.text))[1] <= len(text)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([f"user{number}@example.com" for number in range(10_000)], "user1@example.com user10000@example.com"),
        (["a " * number + "b" for number in range(1, 500)], "a " * 50_000),
        (["a " * number + "a" for number in range(1, 500)], "a " * 50_000),
        (["%25" * 1_000 + str(number) for number in range(100)], "%25" * 20_000),
        (["xy"], "%41" * 20_000 + "é" * 20_000),
    ],
    ids=["addresses", "prefixes", "nested", "escapes", "letters"],
)
def test_many_values_in_a_long_text_take_no_minutes(values: Sequence[str], text: str) -> None:
    assert hidden(*values).within(f"{values[-1]} {text}").startswith("* ")
