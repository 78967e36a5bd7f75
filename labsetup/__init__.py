"""What a notebook may use: ``from labsetup import *``.

The names stand in ``__init__.pyi``, where editors and type checkers read them too.  They are looked
up on first use, so that the command line does not wait for scapy, and the kernel enters its sandbox
before anything else is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give IPython the lab's pictures, cells and sentences; its own kernel does so as it starts."""
    from . import pictures
    from .practice import cells, told

    pictures.register(shell)
    cells.register(shell)
    told.register(shell)
