"""From C to a program that the verifier has accepted; what stands in the way is told in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..compiling.bcc import MEMORY, Compilation, Whose
from ..compiling.clang import is_libbpfs
from ..compiling.objects import ObjectCompilation
from ..compiling.outcome import Built, Code, Compiled
from ..errors import LabError
from ..explaining import handed, loading, meant, methods, unfilled
from ..explaining.as_written import ListingAsWritten
from ..explaining.clang import Remark, gave_up, included, remarks, undeclared
from ..explaining.listing import Listing
from ..explaining.verifier import explain, last_words
from ..libbpf.reach import LAST, PROBES, REFUSED
from ..maps import limits
from ..network.session import current
from .loaded import Loaded


class BuildError(LabError):
    """clang does not accept the C.

    Attributes:
        log: all that was said.
        warnings: what clang had found suspicious before, a line each.
    """

    def __init__(self, message: str, log: str, warnings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log, self.warnings = log, warnings

    def _render_traceback_(self) -> list[str]:
        """The sentence, and what clang had warned of."""
        warned = [f"warning: {one}" for one in self.warnings]
        return [*super()._render_traceback_(), *warned]


class VerifierError(BuildError):
    """The kernel's verifier refuses the program."""

    def _render_traceback_(self) -> list[str]:
        """Under all that, what the verifier itself said last."""
        words = last_words(self.log)
        last = ["", "the verifier:", *words] if words else []
        return [*super()._render_traceback_(), *last]


def build(
    name: str,
    source: str,
    function: str,
    file: str = "",
    constants: Mapping[str, Any] | None = None,
) -> tuple[Built, Loaded, list[str]]:
    """Have clang compile C, and the verifier look at it.

    Args:
        name: what the program is called.
        source: the C, BCC's or libbpf's.
        function: the one that the kernel is to run.
        file: where the C lies, if it does lie in one.
        constants: of libbpf's C, variables that are set before it is loaded, by name.

    Returns:
        the program as data, loaded, and what clang found suspicious in it, a line each.

    Raises:
        BuildError: with clang's first complaint.
        VerifierError: with the refused line and what usually mends it.
    """
    limits.check_declared(source)
    with _compilation(name, source, function, constants or {}) as compilation:
        compiled = compilation.compiled()
        listing = _listing(source, function, compiled)
        found = remarks(listing)
        if compiled.ended:
            raise _given_up(name, listing, found, compiled.told)
        if compiled.functions is None:
            raise _refused_by_clang(file or name, listing, compiled)
        own = [one for one in found if not one.place.file]
        warned = [str(one) for one in [*own, *unfilled.warnings(listing), *meant.warnings(listing)]]
        if why := _unloadable(name, function, compiled, listing):
            raise BuildError(f"{name} {why}", compiled.told)
        verified = compilation.verified()
    if verified.built is None:
        if call := undeclared(found):
            raise BuildError(f"{name} cannot be loaded{call}", verified.log)
        if why := loading.why(verified.log, compiled.maps, verified.pinned):
            raise BuildError(f"{name} cannot be loaded: {why}", verified.log)
        refused = loading.refused_function(verified.log) or function
        listing = _listing(source, refused, compiled)
        place, words = explain(listing, verified.log, verified.in_time, bool(warned))
        which = name if refused == function else f"{name}'s {refused}()"
        where = f"the verifier refused {which}{f' at {place}' if place else ''}"
        raise VerifierError(f"{where}{words}", verified.log, warned)
    loaded = Loaded(verified.files, len(verified.built.maps))
    limits.check(verified.built.maps, current().one(Whose).strangers)
    maps = {plan.name: (plan.kind, plan.leaf.strip('"')) for plan in verified.built.maps}
    more = [
        *methods.warnings(listing, maps),
        *methods.unasked(listing),
        *handed.warnings(listing, verified.unwritten, [*maps]),
    ]
    return verified.built, loaded, [*warned, *map(str, more)]


def _compilation(
    name: str, source: str, function: str, constants: Mapping[str, Any]
) -> Compilation | ObjectCompilation:
    """What compiles C in the language that it is written in."""
    if is_libbpfs(source):
        return ObjectCompilation(source, function, constants)
    if constants:
        raise LabError(
            f"{name} is BCC's C, which has no constants to set; write #define "
            f"{next(iter(constants))} into it, or write it in libbpf's C, with const volatile"
        )
    return Compilation(source, function)


def _listing(source: str, function: str, compiled: Compiled) -> Listing:
    """Where its instructions come from."""
    if not is_libbpfs(source):
        return Listing(source, function, compiled.told)
    code = compiled.code.get(function, Code())
    return ListingAsWritten(source, function, compiled.told, code.lines, code.loops)


def _unloadable(name: str, function: str, compiled: Compiled, listing: Listing) -> str:
    """Why a program is not even loaded; empty where nothing speaks against it."""
    assert compiled.functions is not None
    if beyond := _beyond(compiled, listing):
        return f"{beyond}: take that out"
    who, called = compiled.too_long
    if called:
        return (
            f"has {who} call {called} so often that both together could keep a CPU for hours, and "
            f"nobody can end it: write static before {called}, and the verifier counts its turns "
            "with the others"
        )
    if compiled.probes:
        return loading.of_another_kind(compiled.probes[0])
    if function not in compiled.functions:
        begin = "int" if listing.language == "BCC" else 'SEC("xdp") int'
        return (
            f"has no function that XDP can call; write one that begins "
            f"{begin} {function}(struct xdp_md *ctx)"
        )
    if compiled.undefined:
        return loading.nowhere(compiled.undefined[0], listing)
    return ""


def _beyond(compiled: Compiled, listing: Listing) -> str:
    """What a program would do beyond packets and maps, as it goes on; empty if nothing."""
    probes = [one for one in compiled.functions or () if one.startswith(PROBES)]
    if probes := [*probes, *(x for x in compiled.probes if not loading.of_another_kind(x))]:
        here = listing.only(rf"\b\w*{re.escape(probes[0].rpartition('__')[2].split(',')[0])}\b")
        return (
            f"has a probe of the whole machine, {probes[0]}{f' at {here}' if here else ''}; the "
            "lab loads one XDP program and nothing beside it"
        )
    for number in compiled.helpers:
        if number not in REFUSED and number <= LAST:
            continue
        name, why = REFUSED.get(number, ("a function of the kernel's by its number", ""))
        here = listing.only(rf"\b{name}\b")
        whole = ", ".join(filter(None, (f"{name}{f' at {here}' if here else ''}", why)))
        return f"calls {whole}; the lab's programs act on packets and maps alone"
    return ""


def _given_up(name: str, listing: Listing, found: list[Remark], told: str) -> BuildError:
    """LLVM ended the process; what it had to tell about the C is all that can be told."""
    if call := undeclared(found):
        return BuildError(f"{name} does not compile{call}", told)
    if "out of memory" in told or "bad_alloc" in told:
        return BuildError(
            f"{name} does not compile: clang wants more than {MEMORY >> 30} GiB of memory; "
            "look for a macro that grows with each use, and make it smaller",
            told,
        )
    warned = [str(one) for one in found if one.kind == "warning"]
    return BuildError(f"{name} does not compile{gave_up(listing, found)}", told, warned)


def _refused_by_clang(where: str, listing: Listing, compiled: Compiled) -> BuildError:
    """clang found an error, or what it made of the C cannot be opened."""
    log, found = compiled.told or compiled.trouble, remarks(listing)
    errors = [one for one in found if one.kind == "error"]
    if call := undeclared(errors or found):
        return BuildError(f"{where} does not compile{call}", log)
    if errors:
        because = included(listing, errors[0])
        return BuildError(f"{where} does not compile: {errors[0]}{because}", log)
    if why := limits.refused(listing.source, log):
        return BuildError(f"{where} cannot be loaded; {why}", log)
    if compiled.undefined:
        return BuildError(f"{where} {loading.nowhere(compiled.undefined[0], listing)}", log)
    if why := loading.why(compiled.trouble + log, ()):
        return BuildError(f"{where} cannot be loaded: {why}", log)
    reason = (compiled.trouble or log).strip().splitlines()
    compiler = "BCC" if listing.language == "BCC" else "clang"
    return BuildError(
        f"{compiler} could not compile {where}: {reason[-1] if reason else 'it gave no reason'}; "
        "type: labsetup/lab doctor",
        log,
    )
