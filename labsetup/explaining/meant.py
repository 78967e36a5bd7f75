"""What clang takes and nobody means: numbers in another order of bytes, lost verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .clang import Remark
from .listing import Listing

IS = r"\s*(?:[!=]=|\)\s*\{\s*case\b)\s*"  # but 5632 and its like are htons(22), swapped by hand
PORTS = rf"(?:dest|source|tot_len){IS}(?!5376|5632|5888|6400)\d{{2,4}}\b(?!\s*[<*])"
NUMBER = re.compile(
    rf"\b(\w+)\s*->\s*({PORTS}|h_proto{IS}ETH_P_\w+"
    r"|frag_off\s*&\s*(?:0x(?:1fff|2000|3fff|4000)|IP_\w+)\b)"
)
LOST = re.compile(r"[;{})]\s*((?:bpf_redirect(?:_map|_peer)?|\w+\.redirect_map)\s*\()[^;]*\)\s*;")
STEP = re.compile(r"(?<![)\w.>])(\w+)\s*\+\s*(sizeof\b)")


def warnings(listing: Listing) -> Iterator[Remark]:
    """One for each such line."""
    code = listing.code
    pointers = set(re.findall(r"\bstruct\s+\w+\s*\*\s*(\w+)", code))
    headers = set(re.findall(r"\bstruct\s+(?:eth|ip|udp|tcp)hdr\s*\*\s*(\w+)", code))
    swap = "bpf_htons" if listing.language == "libbpf" else "htons"
    for found in NUMBER.finditer(code):
        field, *_, number = re.findall(r"\w+", found[2])
        if found[1] in headers or code[: found.start()].endswith("pkt."):
            words = f"{field} is in network byte order, and {number} is not: {swap}({number})"
            yield Remark("warning", listing.of_code(found.start()), words)
    for found in STEP.finditer(code):
        if (name := found[1]) in pointers:
            words = f"this moves {name} by sizeof(…) structs, not bytes: write (void *)({name} + 1)"
            yield Remark("warning", listing.of_code(found.start()), words)
    for found in LOST.finditer(code):
        words = f"it gives a verdict, which is lost here: write return {found[1]}…)"
        yield Remark("warning", listing.of_code(found.start(1)), words)
