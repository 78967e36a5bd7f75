"""Values on their way between a check and a stranger's answer: told as JSON, never as objects.

What comes from an answer is made anew of numbers, strings, lists and the like; of anything else
there come the name of its type and its repr, so that nothing of the stranger's runs where it is
judged, and no object can pass for equal to what was asked for.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .. import errors

DEEPEST, LONGEST = 20, 300  # of lists in lists, and characters of a repr
NUMBERS = re.compile("[<>|][biuf](1|2|4|8|16)")  # numpy's types that can be told
SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


# What `unpacked` raises where it was not `packed` that made it.
GARBLED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)


class Other:
    """Something of another type, of which only that and its repr are known."""

    shown = ""

    def __repr__(self) -> str:
        return self.shown


def _named(name: str, *bases: type, **has: object) -> type:
    return type(name if name.isidentifier() else "object", bases, dict(has))


def packed(value: Any, deep: int = 0) -> Any:
    """A value as JSON has it."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is Decimal and not value.is_snan():
        return float(value)  # with which checks compare it; one may have billions of digits
    if deep < DEEPEST:
        for tell in (_of_python, _of_numpy, _of_the_lab):
            if told := tell(value, deep + 1):
                return told
    return ["other", type(value).__name__, _repr(value)]


def _of_python(value: Any, deep: int) -> list[Any] | None:
    kind = type(value)
    if kind in SEQUENCES.values():
        return [kind.__name__, [packed(one, deep) for one in value]]
    if kind is dict:
        return ["dict", [[packed(k, deep), packed(v, deep)] for k, v in value.items()]]
    return ["fraction", value.numerator, value.denominator] if kind is Fraction else None


def _repr(value: object) -> str:
    try:
        return repr(value)[:LONGEST]
    except Exception:
        return f"a {type(value).__name__}, which has no repr"


def _of_numpy(value: Any, _: int) -> list[Any] | str | None:
    np = sys.modules.get("numpy")
    if np is None or not isinstance(value, (np.generic, np.ndarray)):
        return None
    if isinstance(value, np.str_):
        return str(value)
    if not NUMBERS.fullmatch(value.dtype.str):
        return None
    return ["numpy", value.dtype.str, value.tolist(), isinstance(value, np.ndarray)]


def _of_the_lab(value: Any, deep: int) -> list[Any] | None:
    if not type(value).__module__.startswith("labsetup."):
        return None
    match type(value).__name__:
        case "PerCPU":
            return ["percpu", [packed(one, deep) for one in value]]
        case "Interface":
            return ["interface", value.host.name, value.name]
        case "Host":
            return ["host", value.name]
        case "Network":
            hosts = {
                name: [[i.name, i.mac, [*map(str, i.addresses)]] for i in host.interfaces.values()]
                for name, host in value.hosts.items()
            }
            links = [[[end.host.name, end.name] for end in link] for link in value.links]
            return ["network", hosts, links]
    return None


def unpacked(told: Any, net: Any = None) -> Any:
    """The value again.

    Args:
        told: what `packed` made of it.
        net: the network whose hosts and interfaces are named.

    Raises:
        one of GARBLED: where it was not `packed` that made it.
    """
    if not isinstance(told, list):
        return told
    kind, *rest = told
    if kind in SEQUENCES:
        return SEQUENCES[kind](unpacked(one, net) for one in rest[0])
    if kind == "dict":
        return {unpacked(k, net): unpacked(v, net) for k, v in rest[0]}
    if kind in ("interface", "host", "network"):
        return _of_net(net, kind, *rest)
    return MAKES[kind](*rest)


def _other(kind: object, shown: object) -> Any:
    return _named(str(kind), Other, shown=str(shown))()


def _percpu(copies: list[Any]) -> Any:
    from ..maps.values import PerCPU

    return PerCPU(map(unpacked, copies))


def _numpy(dtype: str, value: Any, many: bool) -> Any:
    import numpy as np

    if not NUMBERS.fullmatch(dtype):
        raise ValueError(dtype)
    made = np.array(value, np.dtype(dtype))
    return made if many else made[()]


MAKES: dict[str, Callable[..., Any]] = {
    "fraction": Fraction,
    "numpy": _numpy,
    "other": _other,
    "percpu": _percpu,
}


def _of_net(net: Any, kind: str, *rest: Any) -> Any:
    if kind == "network":
        return net or _network(*rest)
    host = net.hosts[rest[0]]
    return host if kind == "host" else host.interfaces[rest[1]]


def _network(hosts: dict[str, list[Any]], links: list[Any]) -> Any:
    """A network to be looked at, on which nothing can run."""
    from ..network.host import Host
    from ..network.interface import Interface
    from ..network.network import Network

    net = Network.__new__(Network)
    net.hosts, net.links, net.vip, net.vip_hosts = {}, [], "", ()
    for name, interfaces in hosts.items():
        host = net.hosts[name] = Host.__new__(Host)
        host.name, host.open, host.interfaces = name, True, {}
        for one, mac, addresses in interfaces:
            host.interfaces[one] = Interface(host, one, mac, addresses)
    for ends in links:
        a, b = (net.hosts[host].interfaces[name] for host, name in ends)
        a.peer, b.peer = b, a
        net.links.append((a, b))
    return net


def packed_error(error: Exception, where: str) -> list[Any]:
    """An error as JSON has it.

    Args:
        error: what was raised.
        where: the line of the answer.
    """
    try:
        text = str(error)[: 2 * LONGEST]
    except Exception:
        text = "an error that cannot be printed"
    return [[one.__name__ for one in type(error).__mro__][:DEEPEST], text, where]


def unpacked_error(told: Any) -> Exception:
    """An error of the same name, which its nearest relative of Python's or the lab's catches."""
    names, text, where = told
    found = (getattr(builtins, str(one), getattr(errors, str(one), None)) for one in names)
    base: Any = next(one for one in found if _may_be_raised(one))
    text = str(text)
    kind: Any = _named(str(names[0]), base, __str__=lambda _: text, where=str(where))
    made: Exception = kind.__new__(kind)
    return made


def _may_be_raised(kind: Any) -> bool:
    is_class = isinstance(kind, type) and issubclass(kind, Exception)
    return is_class and not issubclass(kind, BaseExceptionGroup)
