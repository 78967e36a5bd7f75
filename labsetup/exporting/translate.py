"""BCC's C becomes libbpf's, as text: its maps, their methods, and the names that BCC brings along.

What is no business of this stays as it was written: the order, the lines, the remarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .declared import KNOWN, REFUSED, Declared, Wrong, declared
from .functions import defined, inlined, placed
from .methods import HELPERS, METHODS, NEEDS, call
from .tokens import (
    DIRECTIVE,
    REMARK,
    SIGN,
    SPACE,
    TEXT,
    WORD,
    Token,
    Untranslatable,
    arguments,
    closing,
    following,
    inside,
    is_sign,
    joined,
    tokens,
)

# What BCC and the kernel's own headers call so, and libbpf's <bpf/bpf_endian.h> or clang so.
CALLED = {
    **{name: f"bpf_{name}" for name in ("htons", "htonl", "ntohs", "ntohl")},
    **{f"__constant_{name}": f"bpf_{name}" for name in ("htons", "htonl", "ntohs", "ntohl")},
    **{"htonll": "bpf_cpu_to_be64", "ntohll": "bpf_be64_to_cpu"},
    **{"bpf_htonll": "bpf_cpu_to_be64", "bpf_ntohll": "bpf_be64_to_cpu"},
    **{"cpu_to_be16": "bpf_htons", "be16_to_cpu": "bpf_ntohs", "cpu_to_be32": "bpf_htonl"},
    **{"be32_to_cpu": "bpf_ntohl", "cpu_to_be64": "bpf_cpu_to_be64"},
    "be64_to_cpu": "bpf_be64_to_cpu",
    **{name: f"__builtin_{name}" for name in ("memcpy", "memset", "memmove")},
    "lock_xadd": "__sync_fetch_and_add",
}
_BCCS_ALONE = {
    "TRACEPOINT_PROBE": "it runs at a tracepoint and not on a packet; xdp-loader has no use for it",
    "RAW_TRACEPOINT_PROBE": "it runs at a tracepoint and not on a packet",
    "KFUNC_PROBE": "it runs at a function of the kernel and not on a packet",
    "KRETFUNC_PROBE": "it runs at a function of the kernel and not on a packet",
    "LSM_PROBE": "it is asked for permissions and not given packets",
    "cursor_advance": "it is of BCC alone; compare a pointer with data_end, as bpf/parse.h does",
    "bpf_log2l": "it is a function of BCC's; write it out",
    "bpf_log2": "it is a function of BCC's; write it out",
}
DEEPEST = 30  # calls of a map's within each other
WIDTH = 100  # columns of a line that is made longer here
LICENCE = re.compile(r"[ \t]*#[ \t]*define[ \t]+BPF_LICENSE\b")


class Translation:
    """The C of one program, part by part: what a part declares, the next ones know.

    Attributes:
        maps: by name.
        helpers: what of HELPERS is called, in order.
    """

    def __init__(self, own: Iterable[str] = (), inlines: bool = True) -> None:
        """Begin.

        Args:
            own: names that the C defines itself, and that mean what it says.
            inlines: whether every static function becomes part of its callers, as with BCC.
        """
        self._inlines = inlines
        self.maps: dict[str, Declared] = {}
        self.helpers: list[str] = []
        self._makers: dict[str, tuple[int, Declared]] = {}  # macros of the C that declare a map
        self._own = set(own)
        self._source = ""
        self._macro = ""  # whose body is being rewritten
        self._depth = 0  # of calls within calls

    def translated(self, source: str) -> str:
        """A part in libbpf's C.

        Raises:
            Untranslatable: for a line that has no counterpart there.
        """
        self._source = source
        parts = tokens(source)
        return self._rewritten(inlined(parts) if self._inlines else parts)

    def preamble(self) -> str:
        """The macros that the parts call; to stand before them all."""
        return "\n".join(_aligned(HELPERS[one]) for one in HELPERS if one in self.helpers)

    def _rewritten(self, parts: Sequence[Token], parameters: Sequence[str] | None = None) -> str:
        """C, rewritten.

        Args:
            parameters: of the macro whose body this is; None outside of macros.
        """
        written, at = list[str](), 0
        while at < len(parts):
            one = parts[at]
            if one.kind == DIRECTIVE:
                written.append(self._directive(one))
            elif one.kind == WORD and not _is_member(parts, at):
                text, at = self._word(parts, at, parameters)
                written.append(text)
            else:
                written.append(one.text)
            at += 1
        return "".join(written)

    def _word(
        self, parts: Sequence[Token], at: int, parameters: Sequence[str] | None
    ) -> tuple[str, int]:
        """What a word becomes, with what belongs to it, and the place of the last of that."""
        one, behind = parts[at], following(parts, at)
        if is_sign(parts, behind, "."):
            method = following(parts, behind)
            bracket = following(parts, method)
            is_call = method < len(parts) and is_sign(parts, bracket, "(")
            if is_call and parts[method].text in METHODS:
                return self._called(parts, at, method, bracket)
        if not is_sign(parts, behind, "("):
            return one.text, at
        if one.text in _BCCS_ALONE:
            raise self._wrong(one, _BCCS_ALONE[one.text])
        if one.text in self._makers:
            self._make(parts, at, behind)
        if one.text in self._own:
            return one.text, at
        if one.text in REFUSED:
            raise self._wrong(one, REFUSED[one.text])
        if one.text in KNOWN:
            return self._declared(parts, at, behind, parameters)
        if one.text == "bpf_trace_printk":
            first = following(parts, behind)
            is_bccs = first < len(parts) and parts[first].kind == TEXT
            return "bpf_printk" if is_bccs else one.text, at
        return CALLED.get(one.text, one.text), at

    def _given(self, parts: Sequence[Token], bracket: int) -> tuple[list[str], int]:
        """What stands in brackets, rewritten, and where they close."""
        end = closing(parts, bracket)
        if end is None:
            raise self._wrong(parts[bracket], "the bracket that it opens is never closed")
        if self._depth == DEEPEST:
            raise self._wrong(parts[bracket], "calls stand in calls too deeply; take them apart")
        self._depth += 1
        given = [self._rewritten(one).strip() for one in arguments(parts, bracket, end)]
        self._depth -= 1
        return given, end

    def _called(
        self, parts: Sequence[Token], at: int, method: int, bracket: int
    ) -> tuple[str, int]:
        name, verb = parts[at].text, parts[method].text
        if name not in self.maps:
            raise self._wrong(
                parts[at], f"no map {name} is declared above it, of which it calls {verb}()"
            )
        given, end = self._given(parts, bracket)
        try:
            text, helper = call(self.maps[name], verb, given)
        except Wrong as error:
            raise self._wrong(parts[at], str(error)) from None
        if helper:
            self.helpers += [*NEEDS.get(helper, []), helper]
        return text if self._macro else _wrapped(text, _line_before(parts, at)), end

    def _declared(
        self,
        parts: Sequence[Token],
        at: int,
        bracket: int,
        parameters: Sequence[str] | None,
    ) -> tuple[str, int]:
        end = closing(parts, bracket)
        if end is None:
            raise self._wrong(parts[at], "the bracket that it opens is never closed")
        words = [_squeezed(one) for one in arguments(parts, bracket, end)]
        try:
            one = declared(parts[at].text, words)
        except Wrong as error:
            raise self._wrong(parts[at], str(error)) from None
        if not re.fullmatch(r"[A-Za-z_]\w*", one.name):
            raise self._wrong(parts[at], f"{one.name:.40} is no name of a map")
        if one.inner and one.inner not in self.maps:
            raise self._wrong(parts[at], f"no map {one.inner:.40} is declared above it")
        if parameters is None:
            self.maps[one.name] = one
        elif one.name in parameters:
            self._makers[self._macro] = parameters.index(one.name), one
        else:
            self.maps[one.name] = one
        indent = _indent(parts, at)
        lines = one.lines()
        text = f"\n{indent}".join(lines) if parameters is None else " ".join(map(str.strip, lines))
        behind = following(parts, end)
        return (text, behind) if is_sign(parts, behind, ";") else (text.removesuffix(";"), end)

    def _make(self, parts: Sequence[Token], at: int, bracket: int) -> None:
        """A macro of the C's own declares a map here, of a name that it is given."""
        place, one = self._makers[parts[at].text]
        end = closing(parts, bracket)
        given = [_squeezed(one) for one in arguments(parts, bracket, end)] if end else []
        if place < len(given):
            self.maps[given[place]] = one._replace(name=given[place])

    def _directive(self, one: Token) -> str:
        parts = inside(one)
        first = following(parts, next(i for i, part in enumerate(parts) if part.text == "#"))
        word = parts[first].text if first < len(parts) else ""
        if word == "include":
            return re.sub(r"<uapi/", "<", one.text)
        name = following(parts, first)
        if word != "define" or name >= len(parts):
            return one.text
        end = name
        parameters = list[str]()
        if is_sign(parts, name + 1, "("):
            end = closing(parts, name + 1) or name
            parameters = [_squeezed(each) for each in arguments(parts, name + 1, end)]
        self._macro = parts[name].text
        body = self._rewritten(parts[end + 1 :], parameters)
        self._macro = ""
        return joined(parts[: end + 1]) + body

    def _wrong(self, one: Token, why: str) -> Untranslatable:
        return Untranslatable(one.line, self._source, why)


def to_libbpf(source: str) -> str:
    """C that BCC would take, as libbpf has it: its maps, their methods, SEC("xdp") on its programs.

    Lines that include headers stay, but for the folder uapi/ of the kernel's own; for one file that
    stands alone, with the names that BCC brings along, see flatten.py.

    Raises:
        Untranslatable: for a line that has no counterpart, naming it.
    """
    made = Translation(defined(tokens(source)))
    text = placed(made.translated(source))
    return f"{made.preamble()}\n{text}" if made.helpers else text


def _is_member(parts: Sequence[Token], at: int) -> bool:
    """Whether a word is the name of a field, behind . or ->."""
    at -= 1
    while at >= 0 and not parts[at].counts:
        at -= 1
    return at >= 0 and parts[at].kind == SIGN and parts[at].text in (".", "->")


def _squeezed(parts: Sequence[Token]) -> str:
    """An argument in one line, without its remarks."""
    plain = [one for one in parts if one.kind != REMARK]
    texts = [" " if one.kind == SPACE else one.text for one in plain]
    return "".join(texts).strip()


def _line_before(parts: Sequence[Token], at: int) -> str:
    """What stands on a piece's line in front of it."""
    before = ""
    while at > 0 and "\n" not in before:
        at -= 1
        before = parts[at].text + before
    return before.rpartition("\n")[2]


def _wrapped(text: str, before: str) -> str:
    """A call, broken behind a comma where its line would be too long."""
    if len(f"{before}{text}".expandtabs(8)) <= WIDTH or "\n" in text:
        return text
    parts = tokens(text)
    bracket = next(i for i, one in enumerate(parts) if one.text == "(")
    given = [joined(one).strip() for one in arguments(parts, bracket, len(parts) - 1)]
    indent = before[: len(before) - len(before.lstrip())] + "\t\t"
    lines = [before + joined(parts[: bracket + 1])]
    for number, one in enumerate(given):
        words = one + (")" if number == len(given) - 1 else ",")
        fits = len(f"{lines[-1]} {words}".expandtabs(8)) < WIDTH
        if number and not fits:
            lines.append(indent + words)
        else:
            lines[-1] += f"{' ' if number else ''}{words}"
    return "\n".join(lines).removeprefix(before)


def _indent(parts: Sequence[Token], at: int) -> str:
    before = parts[at - 1] if at else None
    if before is None or before.kind != SPACE:
        return ""
    return before.text.rpartition("\n")[2] if "\n" in before.text or at == 1 else ""


def _aligned(macro: str) -> str:
    """A macro whose lines end with a backslash in one column."""
    lines = [one.removesuffix("\\").rstrip() for one in macro.rstrip("\n").split("\n")]
    goes_on = [one.endswith("\\") for one in macro.rstrip("\n").split("\n")]
    width = max(len(one.expandtabs(8)) for one, more in zip(lines, goes_on, strict=True) if more)
    return (
        "\n".join(
            f"{one}{' ' * (width + 1 - len(one.expandtabs(8)))}\\" if more else one
            for one, more in zip(lines, goes_on, strict=True)
        )
        + "\n"
    )
