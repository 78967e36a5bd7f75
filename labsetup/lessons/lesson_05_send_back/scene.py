"""Much data over TCP from one host to another, and how fast it went."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from ...arguments import checked, whole
from ...errors import LabError
from ...network.host import Host

PIECE = 1 << 20  # bytes handed to the kernel at once
PATIENCE = 10.0  # seconds without any progress
MOST = 30.0  # seconds in all


@checked
def upload(sender: Host, receiver: Host, megabytes: int = 100) -> float:
    """Send data over one TCP connection to an IPv4 address of a host; returns Gbit/s.

    Args:
        sender: a host.
        receiver: another, which listens just for this and throws the data away.
        megabytes: how much.

    Raises:
        LabError: where it does not get through.
    """
    whole("the megabytes of upload()", megabytes, 1, 10_000)
    taken: list[int] = []
    with contextlib.ExitStack() as stack:
        with receiver.inside():
            listener = stack.enter_context(socket.create_server(("", 0)))
        listener.settimeout(PATIENCE)
        with sender.inside():
            ours = stack.enter_context(socket.socket())
        ours.settimeout(PATIENCE)
        sink = threading.Thread(target=_swallow, args=(listener, taken), daemon=True)
        sink.start()
        address = str(receiver.interfaces["eth0"].addresses[0].ip), listener.getsockname()[1]
        data, begun = bytes(PIECE), time.perf_counter()
        try:
            ours.connect(address)
            for _ in range(megabytes):
                ours.sendall(data)
                if time.perf_counter() - begun > MOST:
                    raise TimeoutError(f"not done in {MOST:g} s")
            ours.shutdown(socket.SHUT_WR)
            ours.recv(1)  # comes once the other side has it all
        except OSError as error:
            raise LabError(
                f"the upload from {sender.name} to {receiver.name} did not get through ({error}); "
                f"does {sender.name}.connect({receiver.name}) work?"
            ) from None
        seconds = time.perf_counter() - begun
        sink.join(PATIENCE)
    if sum(taken) != megabytes * PIECE:
        raise LabError(
            f"{receiver.name} got {sum(taken)} of {megabytes * PIECE} bytes; run the cell again"
        )
    return megabytes * PIECE * 8 / seconds / 1e9


def _swallow(listener: socket.socket, taken: list[int]) -> None:
    with contextlib.suppress(OSError), listener.accept()[0] as theirs:
        theirs.settimeout(PATIENCE)
        room = bytearray(PIECE)
        while number := theirs.recv_into(room):
            taken.append(number)
        theirs.sendall(b".")
