"""What a public function is given, held against its annotations: a slip ends in one sentence."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import operator
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from .errors import LabError

P = ParamSpec("P")
R = TypeVar("R")

WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "str": "a text",
    "bytes": "bytes",
    "Network": "a network such as no_balancer(), balanced() or two_hosts()",
    "Host": "a host such as net.server",
    "Interface": "an interface such as net.server.eth0",
    "Packet": "a packet such as IP() / ICMP()",
    "Program": "a program such as Program('xdp_pass')",
    "Balancer": "a Balancer",
    "Path": "a path",
    "NoneType": "None",
    "ndarray": "an array of numpy",
    "Callable": "a function",
    "Mapping": "a dict",
    "tuple": "numbers such as (2024, 204)",
}
LISTS = {
    "str": 'a list such as ["s1", "s2"]',
    "int": "a list of whole numbers",
    "float": "a list of numbers",
    "Way": "a list of ways such as [Xdp, HAProxy]",
}
SHORT = 60  # characters of a value in a sentence


def shown(value: object) -> str:
    """A value as a sentence names it: not by its place in memory, which tells nobody anything."""
    try:
        text = repr(value)
    except Exception:  # whatever its class does
        text = ""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    told = 0 < len(text) <= SHORT and "\n" not in text and " at 0x" not in text
    return text if told else f"a {type(value).__name__}"


def whole(what: str, value: object, low: int, high: int) -> int:
    """A whole number within bounds; numpy's are numbers too.

    Raises:
        LabError: when it is none.
    """
    if not (_is_whole(value) and low <= operator.index(typing.cast(int, value)) <= high):
        raise LabError(f"{what} is a whole number from {low:,} to {high:,}, not {shown(value)}")
    return operator.index(typing.cast(int, value))


def amount(what: str, value: object, low: float, high: float) -> float:
    """A number within bounds, such as seconds.

    Raises:
        LabError: when it is none.
    """
    if not (isinstance(value, numbers.Real) and low <= float(value) <= high):
        raise LabError(f"{what} is a number from {low:g} to {high:g}, not {shown(value)}")
    return float(value)


def _parts(kind: Any) -> tuple[Any, ...]:
    is_union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return typing.get_args(kind) if is_union else (kind,)


def _fits(value: object, kind: Any) -> bool:
    """Whether a value is what an annotation says; of what cannot be told, yes."""
    if kind in SIMPLE:
        return SIMPLE[kind](value)
    origin, of = typing.get_origin(kind) or kind, typing.get_args(kind)
    if not isinstance(origin, type) or origin is object:
        return True
    if not issubclass(origin, Iterable) or not of or origin is np.ndarray:
        return isinstance(value, origin)
    return not isinstance(value, (str, bytes)) and _list_fits(value, origin, of)


def _list_fits(value: object, origin: type, of: tuple[Any, ...]) -> bool:
    """Whether a list, and each of it, is what an annotation says; a text is no list of texts."""
    if isinstance(value, (np.ndarray, list)) and origin in (tuple, Sequence, Iterable):
        origin = type(value)
    if not isinstance(value, origin) or isinstance(value, Mapping):
        return isinstance(value, origin)
    if len(of) > 1:  # a tuple
        members = list(typing.cast(Iterable[object], value))
        return len(members) == len(of) and all(map(_one_fits, members, of))
    # An iterator would be used up by looking.
    looks = isinstance(value, (list, tuple, set, np.ndarray))
    return not looks or all(_one_fits(one, of[0]) for one in typing.cast(Iterable[object], value))


def _is_whole(value: object) -> bool:
    try:
        operator.index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return False
    return True


SIMPLE: dict[Any, Callable[[Any], bool]] = {
    int: _is_whole,
    float: lambda value: isinstance(value, numbers.Real) and not math.isnan(value),
    bool: lambda value: isinstance(value, (bool, np.bool_)),
    bytes: lambda value: isinstance(value, (bytes, bytearray, memoryview)),
    Any: lambda value: True,
}


def _one_fits(value: object, kind: Any) -> bool:
    return any(_fits(value, part) for part in _parts(kind))


def _told_by_type(kind: type) -> bool:
    """Whether one of these fits or does not, whatever its value: it is no NaN, and no list."""
    if kind in (bool, int, str, np.int64, np.uint64):
        return True
    by_value = issubclass(kind, (float, np.generic, np.ndarray, list, tuple, set))
    return not by_value and not hasattr(kind, "__index__")


def _words(kind: Any) -> str:
    origin, of = typing.get_origin(kind) or kind, typing.get_args(kind)
    name = getattr(origin, "__name__", str(origin))
    if isinstance(origin, type) and issubclass(origin, Iterable) and len(of) == 1:
        each = typing.get_args(of[0])[0] if typing.get_origin(of[0]) is type else of[0]
        return LISTS.get(getattr(each, "__name__", ""), "a list of them")
    return WORDS.get(name, f"a {name}")


def _words_of(kind: Any) -> str:
    *others, last = [_words(part) for part in _parts(kind) if part is not type(None)]
    return f"{', '.join(others)} or {last}" if others else last


def _quoted(value: object, kind: Any) -> str:
    """A number as the text that was wanted, as one types it; else empty."""
    texts = [part for part in _parts(kind) if part is not type(None)] == [str]
    text = shown(value) if texts and type(value) in (int, float) else ""
    return f'"{text}"' if text.lstrip("-")[:1].isdigit() else ""


def _each(signature: inspect.Signature, bound: inspect.BoundArguments) -> Iterator[tuple[str, Any]]:
    """The arguments that were given, each of *several by itself."""
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((name, one) for one in value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            yield from ((name, one) for one in value.values())
        else:
            yield name, value


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """A function that refuses what its annotations do not allow, before it does anything.

    Its calls raise LabError for an argument of another type, too many of them, or too few.
    """
    known: dict[str, Any] = {}
    fitted = set[tuple[type, ...]]()  # types of arguments that did; cells call in loops
    signature = inspect.signature(function)
    name = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given = (*map(type, args),)
        if not kwargs and given in fitted:
            return function(*args, **kwargs)
        if not known:
            known.update(typing.get_type_hints(function))
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise LabError(f"{name}() takes {_taken(signature)}: {error}") from None
        for argument, value in _each(signature, bound):
            if not _one_fits(value, known.get(argument, object)):
                wanted = _words_of(known[argument])
                quoted = _quoted(value, known[argument])
                alone = f"{name}({quoted})" if list(bound.arguments) == [argument] else quoted
                mend = f"; in quotation marks it is one: {alone}" if quoted else ""
                raise LabError(f"{name}() takes {wanted} as {argument}, not {shown(value)}{mend}")
        if not kwargs and len(fitted) < 64 and all(map(_told_by_type, given)):
            fitted.add(given)
        return function(*args, **kwargs)

    return call


def _taken(signature: inspect.Signature) -> str:
    return ", ".join(n for n in signature.parameters if n != "self") or "no arguments"
