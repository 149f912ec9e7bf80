from __future__ import annotations

import pytest
from markupsafe import Markup

from outlive.web import text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('a < b & "c"', "a &lt; b &amp; &#34;c&#34;"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("", ""),
    ],
)
def test_plain_text_is_only_escaped(given: str, shown: str) -> None:
    assert text.visible(given) == Markup(shown)


@pytest.mark.parametrize(
    ("character", "name", "title"),
    [
        ("\x1b", "␛", "control character U+001B"),
        ("\r", "␍", "control character U+000D"),
        ("\x7f", "U+007F", "control character U+007F"),
        ("\u202e", "U+202E", "RIGHT-TO-LEFT OVERRIDE"),
        ("\u2066", "U+2066", "LEFT-TO-RIGHT ISOLATE"),
        ("\u200b", "U+200B", "ZERO WIDTH SPACE"),
        ("\u2028", "U+2028", "LINE SEPARATOR"),
        ("\ufeff", "U+FEFF", "ZERO WIDTH NO-BREAK SPACE"),
    ],
)
def test_hidden_characters_are_shown_by_name(character: str, name: str, title: str) -> None:
    assert text.visible(f"<{character}>") == Markup(f'&lt;<span class="hidden-char" title="{title}">{name}</span>&gt;')


def test_titles_name_hidden_characters_too() -> None:
    assert text.plain("a\u202eb\x1b<") == "aU+202Eb␛<"


def test_json_is_marked_token_by_token() -> None:
    assert text.json_markup('{"a": -1.5e3, "b": [true, null, "x"]}') == Markup(
        '{<span class="j-key">&#34;a&#34;</span>: <span class="j-number">-1.5e3</span>, '
        '<span class="j-key">&#34;b&#34;</span>: [<span class="j-word">true</span>, '
        '<span class="j-word">null</span>, <span class="j-string">&#34;x&#34;</span>]}'
    )


@pytest.mark.parametrize(
    "hostile",
    [
        '{"a": "</code><script>alert(1)</script>"}',
        '"<img src=x onerror=alert(1)>',
        "<script>no json at all</script>",
        '{"<b>": "\\"<i>"}',
    ],
)
def test_marking_json_escapes_all_of_it(hostile: str) -> None:
    marked = str(text.json_markup(hostile))
    plain = marked
    for kind in ("key", "string", "number", "word"):
        plain = plain.replace(f'<span class="j-{kind}">', "")
    plain = plain.replace("</span>", "")
    assert "<" not in plain
    assert Markup(plain).unescape() == hostile


def test_a_long_hostile_string_is_marked_in_linear_time() -> None:
    assert len(text.json_markup('"' + "\\" * 200_000)) > 200_000


def test_names_may_break_between_their_words() -> None:
    assert text.camel("ActivityTaskScheduled") == Markup("Activity<wbr>Task<wbr>Scheduled")
    assert text.camel("a<B") == Markup("a&lt;B")
