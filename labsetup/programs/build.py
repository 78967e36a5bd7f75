"""From C to a program that the verifier has accepted; what stands in the way is told in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..compiling.bcc import MEMORY, Compilation
from ..compiling.outcome import Built
from ..errors import LabError
from ..explaining import handed, methods
from ..explaining.clang import Remark, gave_up, included, remarks, undeclared
from ..explaining.listing import Listing
from ..explaining.verifier import explain, last_words
from ..libbpf.reach import LAST, PROBES, REFUSED
from ..maps import limits
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


def build(name: str, source: str, function: str, file: str = "") -> tuple[Built, Loaded, list[str]]:
    """Have clang compile C, and the verifier look at it.

    Args:
        name: what the program is called.
        source: the C.
        function: the one that the kernel is to run.
        file: where the C lies, if it does lie in one.

    Returns:
        the program as data, loaded, and what clang found suspicious in it, a line each.

    Raises:
        BuildError: with clang's first complaint.
        VerifierError: with the refused line and what usually mends it.
    """
    limits.check_declared(source)
    with Compilation(source, function) as compilation:
        compiled = compilation.compiled()
        listing = Listing(source, function, compiled.told)
        found = remarks(listing)
        if compiled.ended:
            raise _given_up(name, listing, found, compiled.told)
        if compiled.functions is None:
            raise _refused_by_clang(file or name, listing, compiled.told or compiled.trouble)
        warned = [str(one) for one in found if not one.place.file]
        if function not in compiled.functions:
            raise BuildError(
                f"{name} has no function that XDP can call; write one that begins "
                f"int {function}(struct xdp_md *ctx)",
                compiled.told,
            )
        if beyond := _beyond(compiled.functions, compiled.helpers, listing):
            raise BuildError(f"{name} {beyond}: take that out", compiled.told)
        verified = compilation.verified()
    if verified.built is None:
        if call := undeclared(found):
            raise BuildError(f"{name} cannot be loaded{call}", verified.log)
        place, words = explain(listing, verified.log, verified.in_time, bool(warned))
        where = f"the verifier refused {name}{f' at {place}' if place else ''}"
        raise VerifierError(f"{where}{words}", verified.log, warned)
    loaded = Loaded(verified.files)
    limits.check(verified.built.maps)
    maps = {plan.name: (plan.kind, plan.leaf.strip('"')) for plan in verified.built.maps}
    more = [
        *methods.warnings(listing, maps),
        *handed.warnings(listing, verified.unwritten, [*maps]),
    ]
    return verified.built, loaded, [*warned, *map(str, more)]


def _beyond(functions: Sequence[str], calls: Sequence[int], listing: Listing) -> str:
    """What a program would do beyond packets and maps, as it goes on; empty if nothing."""
    if probes := [one for one in functions if one.startswith(PROBES)]:
        here = listing.only(rf"\b\w*{probes[0].rpartition('__')[2]}\b")
        return (
            f"has a probe of the whole machine, {probes[0]}{f' at {here}' if here else ''}; the "
            "lab loads one XDP program and nothing beside it"
        )
    for number in calls:
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


def _refused_by_clang(where: str, listing: Listing, log: str) -> BuildError:
    errors = [one for one in remarks(listing) if one.kind == "error"]
    if call := undeclared(errors):
        return BuildError(f"{where} does not compile{call}", log)
    if errors:
        because = included(listing, errors[0])
        return BuildError(f"{where} does not compile: {errors[0]}{because}", log)
    if why := limits.refused(listing.source, log):
        return BuildError(f"{where} cannot be loaded; {why}", log)
    reason = log.strip().splitlines()
    return BuildError(
        f"BCC could not compile {where}: {reason[-1] if reason else 'it gave no reason'}; "
        "type: labsetup/lab doctor",
        log,
    )
