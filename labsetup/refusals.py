"""What clang and the verifier object to, in plain words and at the line of the reader's own C."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "bpf"

# BCC's DEBUG_PREPROCESSOR and DEBUG_SOURCE: it prints the C as it rewrote it, and then each
# instruction under the line that it comes from.
TELL_ALL = 0x4 | 0x8

# BCC's own choice leaves out the warnings of which a beginner's verdicts are made.
WARNINGS = [
    "-Wunused-value",
    "-Wuninitialized",
    "-Wsometimes-uninitialized",
    "-Wconditional-uninitialized",
]

# What the verifier does not say itself: it would go on for minutes.
ENDLESS = (
    "the verifier followed a loop turn by turn, and was stopped when its time was up; give the "
    "loop a constant bound of its own, such as for (int i = 0; i < 64; i++), and keep the "
    "comparison with data_end inside"
)

# In a loop clang moves a comparison, or works out a place anew, and the proof is gone.
AT_THE_END = re.compile(r"(?:mem access '|arithmetic on )pkt_end")
TURNED = "clang turned a comparison with data_end round, and its proof is gone"
IN_A_LOOP = (
    "; in a loop, with a constant number of turns, keep the place in a pointer of its own, begin "
    "each turn with barrier_var(pointer), and compare and read through it"
)

# clang trusts a pointer that is read, and leaves out those ways through parse() that end at NULL.
# Older verifiers then see the loop over VLAN tags without its end.
UNASKED = (
    "the program reads what parse() may not have found; compare such a pointer with NULL, and its "
    "end with pkt.end, before the first read"
)

BEHIND = (
    "it reads behind a pointer such as pkt.l4, and nothing proves that the packet reaches that "
    "far; before the read, leave if what is read ends behind pkt.end"
)

FROM_THE_LEFT = (
    "C adds from the left, and so begins with data_end, as if it were a number; put brackets "
    "around the difference, or take it into a variable first"
)
EITHER = (
    "ctx->data is a number in C, and a pointer to the verifier: for a length take data_end - data "
    "into a variable first, for a place make pointers of both with (void *)(long)"
)
NOTHING_THERE = (
    "may be NULL there, and then there is nothing to write to; an array has all its elements, so "
    "leave that branch out, and a hash gets a new one by update()"
)

# clang ends a program where what follows cannot be right.
CUT_OFF = re.compile(r"last insn is not an exit|jump out of range|unreachable insn")

PRINT = re.compile(r"\b\w*print[kf]?\b")
PRINTING = "there is nowhere to print: leave the value in a map, and look at it from Python"

# ctx->data itself in a calculation, and a comparison with data_end the wrong way round.
NUMBER = r"(?<!\(long\))ctx->data(?:_end)?\s*[-+<>]"
INVERTED = r"if \([^;{}]*[^<]<=?\s*[\w.>-]*(?:data_|\b)end\)\s*(?:\{\s*)?return XDP_PASS;"

LOOP = re.compile(r"\b(?:for|while)\s*\(|\bdo\s*\{")
TOO_MUCH = re.compile(r"too large|too many instructions|too complex|too many jumps")

# How it was said, what is wrong, what usually mends it; the first that fits is taken.  The words
# changed over the years: `inv` became `scalar` in Linux 5.18.  {0} and {1} are the groups; a
# function gets them as numbers.
REFUSALS: tuple[tuple[str, str | Callable[..., str], str], ...] = (
    (
        r"call bpf_xdp_adjust_\w+#.*invalid mem access '(?:scalar|inv)'",
        "it uses a packet pointer from before bpf_xdp_adjust_…(), which may have moved the packet",
        "after that call read ctx->data and ctx->data_end again, and compare again",
    ),
    (
        r"invalid access to packet, off=(\d+) size=(\d+), R\d+\(id=[1-9]\d*,off=\d+,r=([1-9]\d*)\)",
        lambda offset, size, proved: (
            f"it reads {offset + size - proved}, or more, beyond the bytes proved to be there"
        ),
        "compare the end of all that is read with data_end, not only where it begins",
    ),
    (
        r"invalid access to packet, off=-?\d+ size=\d+, R\d+\(id=[1-9]\d*,",
        "it reads the packet at a place that depends on a number, such as a header's length, and "
        "nothing proves that the packet reaches that far",
        "before the read, leave if it ends behind data_end; compare the very pointer that you read "
        "by, not another sum that comes to the same place (a number of 16 bits also wants a mask, "
        "such as & 0xff, before it is added)",
    ),
    (
        r"invalid access to packet, off=(\d+) size=\d+, R\d+\(id=0,off=-?\d+,r=(\d+)\)",
        "it reads the packet at offset {0}, and has proved that {1} bytes are there",
        "before the read, leave if what is read ends behind data_end; compare pointers, not "
        "lengths",
    ),
    (
        r"invalid access to packet",
        "it reads the packet where nothing proves that the packet is that long",
        "before the read, leave if what is read ends behind data_end; compare pointers, not "
        "lengths",
    ),
    (
        r"(?:mem access '|arithmetic on )pkt_end",
        "it reads at data_end, or does arithmetic with it",
        "data_end is only for comparing: move the other pointer, and compare it with data_end",
    ),
    (
        r"math between pkt pointer and register with unbounded",
        "it adds a number of unknown size to a packet pointer",
        "mask the number, such as & 0xff, before adding it",
    ),
    (
        r"invalid mem access '\w*_or_null'|pointer arithmetic on \w+_or_null|_or_null expected=",
        "lookup() may return NULL, and the pointer is used without a check",
        "put if (pointer) before it",
    ),
    (
        r"invalid access to map value, value_size=(\d+) off=\1\b",
        "the map's values have {0} bytes, and it may go to byte {0} of one",
        "compare or mask an index; and to add to a value put a star in front, as in *count += 1: "
        "without it, it is the pointer that moves on",
    ),
    (
        r"invalid access to map value, value_size=(\d+) off=(-?\d+)",
        "the map's values have {0} bytes, and it may go to byte {1} of one",
        "compare or mask the index, or make the value larger",
    ),
    (
        r"unbounded memory access|R\d+ (?:min|max) value is (?:negative|outside)|unbounded min",
        "it goes to an index, or for a length, of unknown size",
        "make the number unsigned and compare it with the largest that is allowed, or mask it",
    ),
    (
        r"variable-offset (?:read|write)|variable stack (?:read|write|access)|"
        r"invalid (?:unbounded )?variable-offset",
        "it takes an index of unknown size into a local array",
        "mask the index, such as & 15 for 16 elements, or compare it first",
    ),
    (
        r"invalid (?:write to|indirect access to|access to|zero-sized read from) stack|"
        r"invalid stack type|invalid read from stack R\d+ off[= ]-?\d+ size=\d+",
        "it goes beyond the end of a local variable, or of a key or value that is too small",
        "give a key the type that the map has, a helper sizeof(variable) as the length, and keep "
        "an index inside",
    ),
    (
        r"misaligned (?:stack|context|value|packet) access",
        "it reads or writes a number at an address that is no multiple of the number's size",
        "go through a struct with the right types, or copy with __builtin_memcpy()",
    ),
    (
        r"BPF_(?:ATOMIC|XADD) stores into R\d+ pkt",
        "it adds atomically inside the packet, which no two CPUs share",
        "add with += there; atomics are for maps",
    ),
    (
        r"back-edge|infinite loop|loop detected",
        "it has a loop whose end cannot be proven",
        "give it a constant bound, such as for (int i = 0; i < 64; i++)",
    ),
    (
        TOO_MUCH.pattern,
        "it takes too many steps to verify: every turn of a loop counts, on every path",
        "give the loop fewer turns, with a constant bound such as i < 64, or leave it early; and "
        "see that each turn moves on",
    ),
    (
        r"R0 !read_ok|R0 has (?:smin|value|unknown)|At program exit the register R0",
        "it can end without a verdict",
        "return one on every path",
    ),
    (
        r"!read_ok|invalid (?:indirect )?read from stack",
        "it uses a variable that was never given a value",
        "initialise it where it is declared; = {{}} does so for a whole struct",
    ),
    (
        r"unknown func|program of this type cannot use helper|invalid func",
        "it calls a function that XDP programs may not call, or that this kernel does not have",
        "look it up among the helpers for XDP in bpf-helpers(7)",
    ),
    (
        CUT_OFF.pattern + "|subprog",
        "it calls a function that is not part of the program",
        "write static __always_inline before one of your own; there is no C library, no printf",
    ),
    (
        r"R\d+ type=\w+ expected=map_ptr",
        "it gives a map to one of the kernel's functions, as C without BCC does",
        "write the map's name in front, as in MAP.redirect_map(…) and MAP.lookup(…)",
    ),
    (
        r"R\d+ type=\w+ expected=",
        "it gives a function a number where that wants a pointer, or a pointer of the wrong kind",
        "put the value in a variable, and give its address: &variable",
    ),
    (
        r"\(18\) r(\d+) = 0x0\b.*R\1 invalid mem access '(?:scalar|inv)'",
        "it uses a global variable, a static one or a string, for which BCC has no place",
        "keep its value in a map",
    ),
    (
        r"invalid mem access '(?:scalar|inv)'",
        "it uses a number as an address, or a pointer that may be NULL",
        "begin with (void *)(long)ctx->data, keep pointers in pointer variables, ask if (pointer) "
        "where one may be NULL, and compare *pointer where you mean what it points to",
    ),
    (
        r"invalid bpf_context access|dereference of modified ctx|only read from bpf_array",
        "it writes to ctx, or reads beyond its fields; ctx only says where the packet is",
        "read ctx->data and ctx->data_end; change the packet through a pointer to it",
    ),
    (
        r"math between \w+ pointer|pointer \+= pointer|[Pp]ointer arithmetic|bitwise operator|"
        r"R\d+ pointer operation",
        "it calculates with a pointer as if it were a number",
        "a pointer may only have a number added or taken away; to learn how much is left, compare "
        "it with another, as in pointer + 3 > data_end",
    ),
    (
        r"combined stack size|stack limit",
        "it keeps more than 512 bytes in local variables",
        "put large data into a map",
    ),
    (
        r"signed div|sdiv|SDIV",
        "it divides signed numbers, for which BPF has no instruction",
        "make both unsigned: u32, u64",
    ),
    (
        r"built-in function '__\w*(?:sf|df)\w*'|[Ff]loat",
        "it calculates with floating-point numbers, which BPF does not have",
        "calculate with integers: 15 / 10 for 1.5",
    ),
)

# Lines of the verifier's log that say what it had in mind, not what is wrong.
THOUGHTS = re.compile(
    r"processed|verification|stack depth|HINT|lib|cur state|old state|from \d+ to|last_idx|regs=|"
    r"parent|caller|callee|frame\d|mark_precise|R\d+=|R\d+_w=|Running|func#\d|"
    r"bpf: Failed to load|Program too large"
)


def meaning(log: str) -> str:
    """What a refusal means and what mends it; empty where it is one that the lab does not know."""
    # Behind an instruction the verifier lists what it knows of each register, which is much.
    steps = [re.sub(r"\s+; .*", "", x) for x in log.splitlines() if not THOUGHTS.match(x)]
    words = "\n".join(steps)
    for pattern, wrong, mend in REFUSALS:
        if found := re.search(pattern, words, re.DOTALL):
            if callable(wrong):
                return f"{wrong(*map(int, found.groups()))}; {mend}"
            return f"{wrong}; {mend}".format(*found.groups())
    return ""


def last_words(log: str) -> list[str]:
    """The last lines in which the verifier says what is wrong."""
    return [x for x in log.splitlines() if re.match(r"[A-Za-z]", x) and not THOUGHTS.match(x)][-2:]


@dataclass(frozen=True)
class Place:
    """A line of C, as the reader would find it."""

    line: int  # 0: it is not known
    text: str
    file: str = ""  # a header; empty for the reader's own C

    def __str__(self) -> str:
        number = f"line {self.line}, " if self.line else ""
        return f"{self.file and self.file + ', '}{number}«{self.text}»"


class Listing:
    """Where each instruction comes from, read out of what BCC prints with TELL_ALL.

    BCC rewrites C before it compiles it, and everybody after it counts lines of the result.
    """

    def __init__(self, source: str, function: str, told: str) -> None:
        self.source = source
        self._lines = source.splitlines()
        self._includes = "".join(line for line in self._lines if line.startswith("#include"))
        text, _, self.after = told.partition("#include <bcc/footer.h>")
        # What comes before the rewritten C are clang's remarks on the original.
        self.before, begin, text = text.partition("#if defined(BPF_LICENSE)")
        self._rewritten = (begin + text).splitlines()
        self._at: dict[int, tuple[int, str]] = {}  # instruction: line of the rewritten C, quoted
        self._loops: list[range] = []  # the instructions of each
        self._nowhere: list[tuple[int, str]] = []  # lines that call what the program has not
        _, _, code = told.partition(f"Disassembly of function {function}\n")
        here = None
        for line in code.partition("Disassembly of function")[0].splitlines():
            if found := re.match(r"; (.*?)\s*// Line\s+(\d+)", line):
                here = int(found[2]), found[1].strip()
            elif (found := re.match(r"\s*(\d+):\s.*?(?:goto (-\d+))?$", line)) and here:
                number = int(found[1])
                self._at[number] = here
                if line.endswith("call -1"):
                    self._nowhere.append(here)
                if found[2]:
                    self._loops.append(range(number + 1 + int(found[2]), number + 1))

    def original(self, line: int) -> int:
        """The number of a line of the rewritten C in the reader's; 0 if it is none of theirs."""
        strip = str.strip
        matcher = SequenceMatcher(
            None, [*map(strip, self._lines)], [*map(strip, self._rewritten)], autojunk=False
        )
        for _, i1, i2, j1, j2 in matcher.get_opcodes():
            if j1 <= line - 1 < j2 and i2 > i1:
                return min(i1 + line - j1, i2)
        return 0

    def text(self, line: int) -> str:
        """A line of the reader's C."""
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""

    def of_refusal(self, log: str) -> Place | None:
        """The line whose instruction the verifier refused, or the loop that is too much for it."""
        named = re.findall(r"(?:at|unreachable|from) insn (\d+)", log)
        walked = re.findall(r"^(\d+): \([0-9a-f]{2}\)", log, re.MULTILINE)
        last = int((named or walked or [-1])[-1])
        around = [loop for loop in self._loops if last in loop]
        if not log or not (named or walked) or TOO_MUCH.search(log):
            loops = [n for n, line in enumerate(self._lines, 1) if LOOP.search(line)]
            if len(loops) == 1:
                return Place(loops[0], self.text(loops[0]))
            if self._loops:
                return self._loop((around or self._loops)[-1])
        found = self._at.get(last)
        return self.place(*found) if found else self._quoted(log)

    def _loop(self, loop: range) -> Place | None:
        """Where the reader's C has a loop; not every line of it has an instruction of its own."""
        places = [self.place(*self._at[number]) for number in loop if number in self._at]
        own = [place.line for place in places if place.line and not place.file]
        for line in range(min(own, default=0), 0, -1):
            if LOOP.search(self.text(line)):
                return Place(line, self.text(line))
        return places[0] if places else None

    def call_to_nowhere(self) -> Place | None:
        """The line that calls a function which is declared somewhere, and not in the program."""
        return self.place(*self._nowhere[0]) if self._nowhere else None

    def only(self, sign: str) -> Place | None:
        """The line of this sign, a regular expression, or of its group, if there is one such."""
        starts = [one.start(one.lastindex or 0) for one in re.finditer(sign, self.source)]
        found = list({self.source.count("\n", 0, start) + 1 for start in starts})
        return Place(found[0], self.text(found[0])) if len(found) == 1 else None

    def in_a_loop(self, place: Place | None) -> bool:
        """Whether that line lies in a loop of the reader's C, or may do so."""
        if place is None or not place.line or place.file:
            return LOOP.search(self.source) is not None
        above = "\n".join(self._lines[: place.line])
        return any(
            above.count("{", one.end()) > above.count("}", one.end())
            or ";" not in above[one.end() :].partition(")")[2].rstrip(" ;")
            for one in LOOP.finditer(above)
        )

    def place(self, line: int, quoted: str) -> Place:
        """A line of the rewritten C, as the reader would find it."""
        there = self._rewritten[line - 1].strip() if line <= len(self._rewritten) else ""
        if there != quoted:  # then it is a line of a header
            for path in sorted(SOURCES.glob("*.h")):
                lines = path.read_text().splitlines()
                if line <= len(lines) and lines[line - 1].strip() == quoted:
                    return Place(line, quoted, path.name)
            return Place(0, quoted)
        number = self.original(line)
        return Place(number, self.text(number) or quoted)

    def _quoted(self, log: str) -> Place | None:
        """By what the verifier itself quotes, for a log without instructions to go by."""
        quoted = re.findall(r"^; (.*?)(?: @ .*)?$", log, re.MULTILINE)
        if not quoted:
            return None
        text = quoted[-1].strip()
        sources = {"": self._lines}
        included = [path for path in SOURCES.glob("*.h") if f'"{path.name}"' in self._includes]
        sources |= {path.name: path.read_text().splitlines() for path in included}
        found = [
            Place(number, text, file)
            for file, lines in sources.items()
            for number, line in enumerate(lines, 1)
            if line.strip() == text
        ]
        return found[0] if len(found) == 1 else Place(0, text)


Told = tuple[Place | None, str]


def explain(listing: Listing, log: str, in_time: bool, warned: bool) -> Told:
    """Where the verifier refused a program, and in plain words why.

    Args:
        listing: the program's.
        log: the verifier's.
        in_time: whether it came to an end.
        warned: whether clang had found something suspicious before.
    """
    place = listing.of_refusal(log if in_time else "")
    known = meaning(log) if in_time else ENDLESS
    parses = '"parse.h"' in listing.source and "data_end" not in listing.source
    if parses and "depends on a number" in known:
        known = BEHIND
    place, known = (
        _left_out(listing, log, place, known, warned)
        or _unasked(listing, log, place, known)
        or _at_another_line(listing, log, place, known)
    )
    if "ntoh" not in listing.source:
        known = re.sub(r" \(a number of 16 bits.*?\)", "", known)
    if parses:  # which has it under another name
        known = re.sub(r"(?<!->)data_end", "pkt.end", known)
    if not known:
        return place, f" with these words: {(last_words(log) or ['none'])[-1]}"
    return place, f": {known}"


def _left_out(
    listing: Listing, log: str, place: Place | None, known: str, warned: bool
) -> Told | None:
    """Where clang left something out, and what is refused is only what remains."""
    if "(0 insns)" in log:
        then = "begin with what it warns of" if warned else "every path must return a verdict"
        return None, f"clang left nothing of it, since it cannot be right; {then}"
    if CUT_OFF.search(log) and (call := listing.call_to_nowhere()):
        return call, f"it prints; {PRINTING}" if PRINT.search(call.text) else known
    if CUT_OFF.search(log) and warned:
        return place, "clang left out what cannot be right; begin with what it warns of"
    return None


def _unasked(listing: Listing, log: str, place: Place | None, known: str) -> Told | None:
    """Where parse() is blamed for what the program did not ask."""
    if place and place.file == "parse.h" and "invalid access to packet" in log:
        return place, f"that line is in order; {UNASKED}"
    if '"parse.h"' in listing.source and "loop whose end" in known:
        return None if LOOP.search(listing.source) else (None, UNASKED)
    return None


def _miscalculated(listing: Listing, known: str) -> Told | None:
    """Where the reader's C has one line that may do what the verifier objects to."""
    if re.search("calculates with a pointer|does arithmetic", known):
        if sum_ := listing.only(r"\+\s*(?:ctx->)?data_end\s*-"):
            return sum_, FROM_THE_LEFT
        if number := listing.only(NUMBER):
            return number, f"{known.partition('; ')[0]}; {EITHER}"
        if minus := listing.only(r"end\s*-\s*\(?\w"):
            return minus, known
    if "may return NULL" in known:
        for name in set(re.findall(r"if \(!?(\w+)\b", listing.source)):
            none = rf"(?:\belse|if \(!{name}\)|if \({name} == NULL\))\s*\{{?\s*"
            if written := listing.only(rf"{none}(\*{name}\s*=(?!=)[^;]*;)"):
                return written, f"{name} {NOTHING_THERE}"
    return None


def _at_another_line(listing: Listing, log: str, place: Place | None, known: str) -> Told:
    """What the verifier notices only later than where it went wrong."""
    if found := _miscalculated(listing, known):
        return found
    wrong, _, _ = known.partition("; ")
    if "invalid access to packet" in log and (leaving := listing.only(INVERTED)):
        return place, f"{wrong}; {leaving} leaves where the bytes are there"
    if AT_THE_END.search(log) and LOOP.search(listing.source):
        return place, TURNED + IN_A_LOOP
    # Whoever has both, a barrier and a proof, has only proved too little.
    proved = "barrier_var" in listing.source and re.search(r"invalid access .*r=[1-9]\d*\)", log)
    if "invalid access to packet" in log and not proved and listing.in_a_loop(place):
        return place, wrong + IN_A_LOOP
    return place, known


@dataclass(frozen=True)
class Remark:
    """One of clang's complaints.

    Attributes:
        kind: ``"error"`` or ``"warning"``.
        place: where; without a text where that is not the reader's C.
        words: clang's own.
    """

    kind: str
    place: Place
    words: str

    def __str__(self) -> str:
        where = str(self.place) if self.place.text else f"line {self.place.line}"
        if self.place.file and not self.place.text:
            where = f"{self.place.file}, {where}"
        for words, line, plain in PYTHON:
            if re.search(words, self.words) and re.search(line, self.place.text):
                return f"{where}: {plain}"
        for pattern, plain in PLAINER:
            if re.search(pattern, self.words):
                return f"{where}: {re.sub(pattern, plain, self.words)}"
        return f"{where}: {self.words}"


# What clang says, or BCC through it, and what would help more.
PLAINER = (
    (
        r"invalid operands to binary expression \('\w+ \*' .*",
        "this calculates with a pointer; the number that it points to has a star, as in *count",
    ),
    (
        r"member reference type 'struct (\w+)_table_t.*' is not a pointer.*",
        r"a map is no pointer: write a dot, as in \1.lookup(…) or \1.redirect_map(…)",
    ),
    (
        r"(?:invalid operands to binary expression|indirection requires pointer operand|"
        r"member reference type).*'struct (\w+)_table_t'.*",
        r"\1 is a map: \1.lookup(&key) gives a pointer to an element, such as u64 *",
    ),
    (
        r"no member named 'lookup' in 'struct (\w+)_table_t'",
        r"\1 cannot be looked up in C; \1.redirect_map(number, verdict otherwise) takes what "
        "stands there, and where nothing does it gives that verdict",
    ),
    (
        r"no member named '(\w+)' in 'struct (\w+)_table_t'",
        r"the map \2 has no \1(): \2.lookup(&key) gives a pointer to an element; only a device map "
        r"redirects, as in \2.redirect_map(number, verdict otherwise)",
    ),
    (r"expected '\)'", "expected ')', here or on the line before"),
    (
        r"use of undeclared identifier 'data_end'",
        "there is no data_end yet: void *data_end = (void *)(long)ctx->data_end; makes it, and "
        "parse() leaves it in pkt.end",
    ),
    (
        r"initializing '(struct \w+)' with an expression of.* type '[^']*\*'",
        r"a struct cannot be made of a pointer; a star makes it a pointer, too: \1 *name",
    ),
    (r".*undeclared identifier '(IPPROTO_\w+)'", r'headers.h has \1: #include "headers.h"'),
    (r"incomplete type 'struct packet'.*", 'parse.h has struct packet: #include "parse.h"'),
    (
        r"member reference base type 'void' is not a structure or union",
        "a void * has no fields; keep it in a pointer of its kind first (struct udphdr *udp = …)",
    ),
    (
        r"array type .* is not assignable|array initializer must be an initializer list.*",
        "an array is not assigned with =; copy its bytes: __builtin_memcpy(to, from, number)",
    ),
    (
        r"subscripted value is not an array, pointer, or vector",
        "what stands in front of [ is no array; of a map, lookup(&key) gives a pointer to an "
        "element, such as u64 *",
    ),
    (
        r"comparison of distinct pointer types \((.*)\)",
        r"two types of pointers are compared, which does no harm: \1; (void *) silences it",
    ),
    (
        "cannot call non-static helper function",
        "it calls a function of yours that is not static; write static __always_inline before that "
        "function's type",
    ),
    (
        r"with an expression of type '([^']* \*)'.*; dereference with \*",
        r"with a pointer; keep it in one, declared with a star (\1 name), and ask if (name) before "
        "you use it",
    ),
    (
        r".*'(struct \w+)' with an expression of incompatible type 'void'",
        r"a void * has no type to read; keep it in a pointer of its kind first (\1 *name = …), and "
        "ask whether it is NULL",
    ),
    (
        r".*with an expression of incompatible type 'void'",
        "what stands behind the star may be nothing; keep the pointer first (u64 *count = "
        "….lookup(&key)), and ask if (count) before you use *count",
    ),
)

# The same, where the line has to be looked at as well: habits of those who come from Python.
PYTHON = (
    (r"expected '\)'", r"\b(?:and|or)\b", "C writes && for and, || for or"),
    (r"undeclared identifier '(?:and|or)'", "", "C writes && for and, || for or"),
    (r"undeclared identifier 'not'|expected expression", r"\bnot\b", "C writes ! for not"),
    (r"expected expression", r":\s*(?://.*)?$", "C has no : there; a block stands between { and }"),
    (
        r"with an expression of type|passing 'int' to parameter",
        r"__sync_\w+\(&",
        "what lookup() gave is a pointer already: no & in front of it",
    ),
    (r"undeclared identifier 'None'", "", "C writes NULL for None; a pointer may be NULL"),
    (r"invalid preprocessing directive", "^#", "a remark stands between /* and */, or behind //"),
    (r"'section' attribute only applies", "", "a map stands outside of every function, above it"),
)

# A warning until clang 15, an error since then.
UNDECLARED = re.compile(
    r"(?:implicit(?:ly)? declar\w+ (?:of|library)|call to undeclared(?: library)?) function '(\w+)'"
)

# Warnings of what changes what a program does; others may stand in a right one.
TELLING = re.compile(
    r"assignment as a condition|unused|uninitialized|return a value|always|empty body|precedence|"
    r"overflow|change|to integer|integer to|unary operator|string literal|pointer types passing|"
    r"between pointer and integer|character constant|logical '"
)
BUILT_IN = re.compile(r"library function 'mem(?:cpy|move|set)'")  # clang writes these out itself

# What a map can do, by BCC; it is said of a map's name.
OF_A_MAP = {"lookup", "lookup_or_try_init", "insert", "update", "delete", "increment",
            "redirect_map", "perf_submit_skb"}  # fmt: skip


def undeclared(found: list[Remark]) -> str:
    """The first call of a function that nothing declares, and what mends it; empty if none."""
    for one in found:
        if call := UNDECLARED.search(one.words):
            name = call[1]
            makes = re.compile(rf"^static __always_inline .*\b{name}\(", re.MULTILINE)
            has = [path.name for path in SOURCES.glob("*.h") if makes.search(path.read_text())]
            if has:
                mend = f'{has[0]} has it: #include "{has[0]}"'
            elif name in ("memcpy", "memmove", "memset"):
                mend = f"there is no C library, but clang has __builtin_{name}()"
            elif PRINT.fullmatch(name):
                mend = PRINTING
            elif name in OF_A_MAP:
                mend = f"it belongs to a map: write the map's name in front, as in MAP.{name}(…)"
            else:
                mend = "check its spelling; there is no C library"
            return f" at {one.place}: it calls {name}(), which nothing declares; {mend}"
    return ""


REMARK = re.compile(
    r"^(\S+?):(\d+):\d+: (?:fatal )?(error|warning): (.+?)(?: \[-W[\w-]+\])?$", re.MULTILINE
)


def remarks(listing: Listing) -> list[Remark]:
    """Clang's errors and warnings, at the reader's own lines, each once."""
    found: dict[Remark, None] = {}
    for words, was_rewritten in ((listing.before, False), (listing.after, True)):
        for file, number, kind, complaint in REMARK.findall(words):
            line = listing.original(int(number)) if was_rewritten else int(number)
            if file.startswith("/virtual/main"):
                place = Place(line, listing.text(line))
            else:
                place = Place(int(number), "", file)
            if kind == "error" or not BUILT_IN.search(complaint):
                found.setdefault(Remark(kind, place, complaint))
    return list(found)


def included(listing: Listing, remark: Remark) -> str:
    """For a remark on a header, by which line of the reader's that header came in."""
    lines = re.findall(r"^In file included from /virtual/main\.c:(\d+):", listing.before, re.M)
    if not (remark.place.file and lines):
        return ""
    line = int(lines[0])
    return (
        f"; line {line}, «{listing.text(line)}», brings it in, and it does not go with the lab's "
        "headers, which bring all that the exercises need"
    )


def gave_up(listing: Listing, found: list[Remark]) -> str:
    """Where and why LLVM ended the process, by what it said last."""
    here = re.search(r"(?:error: )?/virtual/main\.c:(\d+):\d+: in function (.*)", listing.after)
    other = re.search(r"LLVM ERROR: (.*)|error: (.*)|Error at line (\d+): (.*)", listing.after)
    line, reason = 0, "it gave no reason"
    if here:
        line, reason = listing.original(int(here[1])), here[2].partition("): ")[2]
    elif other:
        line = listing.original(int(other[3] or 0)) if other[3] else 0
        reason = other[4] or other[1] or other[2]
    where = f" at {Place(line, listing.text(line))}" if line else ""
    if any(one.kind == "warning" and TELLING.search(one.words) for one in found):
        return f"{where}: clang gave it up; begin with what it warns of"
    return f"{where}: {meaning(reason) or f'LLVM gave up: {reason}'}"
