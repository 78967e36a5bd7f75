"""How a verb of the command line is declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Action = Callable[[argparse.Namespace], int]


class Verbs:
    """The verbs of labsetup/lab; each file of this package adds its own."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            prog="labsetup/lab", description="XDP Lab: hands-on XDP."
        )
        self._parsers = self.parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(self, name: str, action: Action, text: str, **options: Any) -> argparse.ArgumentParser:
        """Declare one, and get its own parser to add arguments to.

        Args:
            name: what one types.
            action: what it does; it returns the status to exit with.
            text: what it does, in a line.
            options: argparse's, such as ``usage``.
        """
        added = self._parsers.add_parser(name, help=text, description=text, **options)
        added.set_defaults(action=action)
        return added
