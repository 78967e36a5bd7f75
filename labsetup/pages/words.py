"""An extension of Sphinx: words of the glossary lead to it, and C in a cell is coloured as C."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import CLexer
from pygments.token import Comment

GLOSSARY = "notebooks/glossary"
_ENTRY = re.compile(r"^\*\*(.+?)\.\*\*\s+(.+)$", re.MULTILINE)


class XdpLexer(Lexer):
    """A cell of C: the line of its magic, and the program."""

    name = "XDP cell"

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """As Pygments asks for them: place, kind, text."""
        magic, newline, program = text.partition("\n")
        yield 0, Comment.Special, magic + newline
        for place, kind, value in CLexer().get_tokens_unprocessed(program):
            yield place + len(magic + newline), kind, value


def setup(app: Any) -> dict[str, bool]:
    """As Sphinx calls it."""
    app.add_lexer("xdp", XdpLexer)
    app.connect("doctree-resolved", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _finish(app: Any, page: Any, name: str) -> None:
    from docutils import nodes

    for block in page.findall(nodes.literal_block):
        if block.astext().startswith("%%xdp "):
            block["language"] = "xdp"
    if name == "index" or name.startswith("notebooks/"):  # elsewhere a map may be one of the house
        leads = Leads(
            Path(app.srcdir, f"{GLOSSARY}.md").read_text(),
            app.builder.get_relative_uri(name, GLOSSARY),
        )
        if name == GLOSSARY:
            leads.anchor(page)
        else:
            leads.add(page)


class Leads:
    """From each word's first use to its entry.

    Args:
        glossary: its text, an entry a paragraph that begins with its words in bold.
        address: of its page, as seen from the one that leads there.
    """

    def __init__(self, glossary: str, address: str) -> None:
        self._entries = dict[str, tuple[str, str]]()  # by word: where, and what it says
        for words, text in _ENTRY.findall(glossary):
            plain = re.sub(r"\[(.+?)\]\(.+?\)", r"\1", text).replace("`", "")
            entry = f"{address}#{_anchor(words)}", plain
            self._entries |= dict.fromkeys(words.split(", "), entry)
        longest_first = sorted(self._entries, key=len, reverse=True)
        spelled = "|".join(f"(?:{_spelled(word)})" for word in longest_first)
        self._words = re.compile(rf"(?<![\w-])(?:{spelled})(?:e?s)?(?![\w-])")

    def anchor(self, page: Any) -> None:
        """Make each entry of the glossary a place to go to, and have it lead to the others."""
        from docutils import nodes

        for entry in page.findall(nodes.paragraph):
            first = next((one for one in entry.children if one.astext()), None)
            if isinstance(first, nodes.strong):
                words = first.astext().removesuffix(".")
                entry["ids"].append(_anchor(words))
                entry["classes"].append("entry")
                self.add(entry, words.split(", "))

    def add(self, node: Any, known: Iterable[str] = ()) -> None:
        """Lead from what stands in a node.

        Args:
            node: a page or a part of one.
            known: words that need no lead.
        """
        from docutils import nodes

        apart = (nodes.title, nodes.reference, nodes.literal, nodes.literal_block, nodes.raw)
        seen = {self._entries[word][0] for word in known}
        for text in list(node.findall(nodes.Text)):
            above, inside = text.parent, False
            while above is not None and not inside:
                inside, above = isinstance(above, apart), above.parent
            if not inside:
                text.parent.replace(text, list(self._led(str(text), seen)))

    def _led(self, text: str, seen: set[str]) -> Iterator[Any]:
        """A text in pieces, some of which lead to an entry."""
        from docutils import nodes

        end = 0
        for found in self._words.finditer(text):
            address, says = self._entry(found[0])
            if address not in seen:
                seen.add(address)
                yield nodes.Text(text[end : found.start()])
                lead = nodes.reference("", found[0], internal=True, refuri=address)
                lead["reftitle"] = says
                lead["classes"].append("word")
                yield lead
                end = found.end()
        yield nodes.Text(text[end:])

    def _entry(self, used: str) -> tuple[str, str]:
        return next(
            entry
            for word, entry in self._entries.items()
            if re.fullmatch(rf"(?:{_spelled(word)})(?:e?s)?", used)
        )


def _anchor(words: str) -> str:
    return "word-" + re.sub(r"\W+", "-", words.lower())


def _spelled(word: str) -> str:
    """A word as a pattern: across the end of a line, and with a capital at that of a sentence."""
    pattern = r"\s+".join(map(re.escape, word.split()))
    return f"[{word[0]}{word[0].upper()}]{pattern[1:]}" if word.islower() else pattern
