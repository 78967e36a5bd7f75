"""The lab's Jupyter kernel: an IPython kernel whose cells run in a private network.

Its sockets are files in a folder of root's, so all of it is inside, but for those of a server that
speaks TCP: these are bound on the host's loopback, and go on working.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from .errors import LabError
from .network import lifetime, sandbox
from .terminals.sockets import TRANSPORT


def main() -> None:
    """Start the kernel; without root it starts too, and each cell says what is missing."""
    refusal = None
    os.umask(0o022)  # the server's own files are for root alone; a capture is for Wireshark, too
    try:
        if os.geteuid() == 0:
            lifetime.become_init(is_kernel=True)
    except (OSError, LabError) as error:
        refusal = str(error)

    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp

    def enter() -> None:
        nonlocal refusal
        try:
            sandbox.enter()
        except LabError as error:
            refusal = refusal or str(error)

    class Kernel(IPythonKernel):
        async def do_execute(
            self, code: str, silent: bool, *args: Any, **kwargs: Any
        ) -> dict[str, Any]:
            if refusal is not None:
                code = f"from labsetup.errors import LabError; raise LabError({refusal!r})"
            reply: dict[str, Any] = await super().do_execute(  # type: ignore[no-untyped-call]  # as ipykernel has it
                code, silent, *args, **kwargs
            )
            return reply

        def do_complete(self, code: str, cursor_pos: int) -> Any:
            """Names to go on with: in C, and in strings that name a thing of the lab."""
            from .editor.answers import complete, typed

            own = complete(code, cursor_pos)
            return own or typed(super().do_complete(code, cursor_pos))  # type: ignore[no-untyped-call]  # as ipykernel has it

        def do_inspect(self, code: str, cursor_pos: int, *args: Any, **kwargs: Any) -> Any:
            """What a name means, in C."""
            from .editor.answers import inspect

            said = inspect(code, cursor_pos)
            return said or super().do_inspect(code, cursor_pos, *args, **kwargs)  # type: ignore[no-untyped-call]  # as ipykernel has it

    class App(IPKernelApp):
        kernel_class = Kernel

        def init_poller(self) -> None:
            """Nothing to poll: the supervisor dies with the server and takes this along."""

        def init_sockets(self) -> None:
            if self.transport == TRANSPORT:  # files, which are reached from elsewhere
                enter()
            super().init_sockets()  # type: ignore[no-untyped-call]  # as ipykernel has it

        def init_kernel(self) -> None:
            enter()  # over TCP the server would not find sockets that were made inside
            super().init_kernel()  # type: ignore[no-untyped-call]  # as ipykernel has it

    # Its warnings are for whoever set up the kernel, and would come with each notebook.
    App.launch_instance(log_level=logging.ERROR, extensions=["labsetup"])


if __name__ == "__main__":
    main()
