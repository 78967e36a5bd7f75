"""Each reader's password, made of their name and the hub's secret: nothing is kept for any name.

python -m labsetup.hub.passwords ada grace      a line for each, to be handed out
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any

from ..errors import LabError
from .settings import KEEPS, NAME

SECRET = KEEPS / "secret"
LENGTH = 12  # letters of base32: 60 bits, which nobody guesses over a network


def password(name: str, secret: bytes) -> str:
    """A reader's, in groups of four; for another secret another."""
    digest = hmac.digest(secret, name.encode(), hashlib.sha256)
    letters = base64.b32encode(digest).decode().lower()[:LENGTH]
    return "-".join(letters[at : at + 4] for at in range(0, LENGTH, 4))


def is_right(name: str, given: str, secret: bytes) -> bool:
    """Whether it is that reader's; takes the same time for all that are not."""
    if not re.fullmatch(NAME, name):
        return False
    return hmac.compare_digest(password(name, secret).encode(), given.strip().lower().encode())


def kept(path: Path = SECRET) -> bytes:
    """The hub's secret; made where there is none yet.

    Raises:
        LabError: if it can be neither read nor made.
    """
    try:
        if not path.exists():
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(secrets.token_bytes(32))
        found = path.read_bytes()
    except OSError as error:
        raise LabError(
            f"the secret of which passwords are made cannot be kept in {path}: {error.strerror}; "
            "type this in the hub's container"
        ) from None
    if len(found) != 32:
        raise LabError(
            f"{path} is damaged: delete it and start the hub anew, which gives everybody a new "
            "password"
        )
    return found


def authenticator() -> type[Any]:
    """What asks for them, as a class for JupyterHub."""
    from jupyterhub.auth import Authenticator

    secret = kept()

    class Passwords(Authenticator):  # type: ignore[misc]
        """Whoever has a name and its password may come in."""

        async def authenticate(self, handler: object, data: dict[str, str]) -> str | None:
            """Give the name back if the password is its own."""
            name = data["username"]
            return name if is_right(name, data["password"], secret) else None

    return Passwords


def main(names: list[str]) -> int:
    """Print a line for each name."""
    wrong = [name for name in names if not re.fullmatch(NAME, name)]
    if wrong or not names:
        print(
            f"lab: {', '.join(wrong) or 'no name'}: give names of at most 32 small letters and "
            "digits, such as ada grace2",
            file=sys.stderr,
        )
        return 2
    try:
        secret = kept()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    for name in names:
        print(f"{name:32}  {password(name, secret)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
