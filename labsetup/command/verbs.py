"""How a verb of the command line is declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..errors import LabError

Action = Callable[[argparse.Namespace], int]


class Misused(LabError):
    """What was typed contradicts itself; the status is 2, as argparse has it."""


class _Once(argparse.Action):
    """What an option says; of two, none is passed over in silence."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if option_string and getattr(namespace, self.dest) is not self.default:
            parser.error(f"{option_string} is given twice; give it once")
        setattr(namespace, self.dest, values)


class Verbs:
    """The verbs of labsetup/lab; each file of this package adds its own."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            prog="labsetup/lab", description="XDP Lab: hands-on XDP."
        )
        self._parsers = self.parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(
        self, name: str, action: Action, text: str, theirs: bool = False, **options: Any
    ) -> argparse.ArgumentParser:
        """Declare one, and get its own parser to add arguments to.

        Args:
            name: what one types.
            action: what it does; it returns the status to exit with.
            text: what it does, in a line.
            theirs: whether it passes on what stands behind --.
            options: argparse's, such as ``usage``.
        """
        added = self._parsers.add_parser(name, help=text, description=text, **options)
        added.register("action", None, _Once)
        added.set_defaults(action=action, takes_theirs=theirs)
        return added
