"""The lab's first page in the browser of whoever typed sudo.

The address has the server's token in it, and whoever has that is root here.  So the browser is
given a file with it, which only its user may read: what stands in a command line, every user of
the machine may.  Run as ``python -m labsetup.editor.browse USER FILE_URL``.
"""

from __future__ import annotations

import os
import pwd
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINGERS = 60.0  # seconds in which a browser that starts slowly must have read the page


def open_page(user: str, page: str) -> None:
    """Give a user's browser a page, and take it away again.

    Args:
        user: by name.
        page: HTML that leads on to the lab.
    """
    server = os.pidfd_open(os.getppid())
    owner = pwd.getpwnam(user)
    # In the home, and not hidden there: some browsers are kept from all other places.
    with tempfile.NamedTemporaryFile(
        "w", dir=owner.pw_dir, prefix="xdp-lab-", suffix=".html"
    ) as file:
        os.fchown(file.fileno(), owner.pw_uid, owner.pw_gid)  # made with mode 0600
        file.write(page)
        file.flush()
        whose = {"HOME": owner.pw_dir, "USER": user, "XDG_RUNTIME_DIR": f"/run/user/{owner.pw_uid}"}
        command = ["runuser", "--preserve-environment", "-u", user, "--", "xdg-open", file.name]
        subprocess.Popen(command, env=os.environ | whose)
        # Nobody tells when the browser has read it; once the server has ended, nobody needs it.
        select.select([server], [], [], LINGERS)
    os.close(server)


if __name__ == "__main__":
    open_page(sys.argv[1], Path(unquote(urlsplit(sys.argv[2]).path)).read_text())
