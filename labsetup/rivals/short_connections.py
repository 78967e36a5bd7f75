"""Short TCP connections, one after the other, in a process as lean as Python allows.

Run as a script, ``python -IS short_connections.py serve NAME PORT`` or ``... ask ADDRESS PORT
CLIENTS NUMBER SECONDS``: what is measured with it is the network, so little else may cost.
"""

import json
import os
import socket
import sys
import time
from collections import Counter

WAIT = 1  # seconds for each step of a connection


def serve(name: str, port: int) -> None:
    """Answer each line with this server's name and the address that it came from, and close."""
    listener = socket.create_server(("", port), backlog=4096)
    print("ready", flush=True)
    answers: dict[str, bytes] = {}
    while True:
        connection, (source, _) = listener.accept()
        answer = answers.get(source) or answers.setdefault(source, f"{name} {source}".encode())
        try:
            if connection.recv(64):
                connection.send(answer)
        except OSError:  # the client is gone
            pass
        connection.close()


def ask(address: str, port: int, clients: int, number: int, seconds: float) -> None:
    """So many clients at the same time, a process each: see `one_client`."""
    pids = []
    for _ in range(clients):
        pids.append(os.fork())
        if not pids[-1]:
            one_client(address, port, number, seconds)
            return
    for pid in pids:
        os.waitpid(pid, 0)
    print("done", flush=True)


def one_client(address: str, port: int, number: int, seconds: float) -> None:
    """Connect, send a line, read the answer up to its end, close; *number* times or *seconds*.

    Prints how often each answer came, seconds, and seconds of this process's CPU time.
    """
    answers: Counter[bytes] = Counter()
    begun, used = time.monotonic(), time.process_time()
    while number and time.monotonic() - begun < seconds:
        number -= 1
        one = socket.socket()
        one.settimeout(WAIT)
        try:
            one.connect((address, port))
            one.send(b"who are you?\n")
            answer = one.recv(64)
            if answer:
                one.recv(64)  # the server closes first, so that no port here has to wait
            answers[answer or b"reset"] += 1
        except TimeoutError:
            answers[b"timed out"] += 1
        except OSError:
            answers[b"reset"] += 1
        one.close()
    took = time.monotonic() - begun, time.process_time() - used
    print(json.dumps([{answer.decode(): n for answer, n in answers.items()}, *took]), flush=True)


if __name__ == "__main__":
    try:
        if sys.argv[1] == "serve":
            serve(sys.argv[2], int(sys.argv[3]))
        else:
            port, clients, number = map(int, sys.argv[3:6])
            ask(sys.argv[2], port, clients, number, float(sys.argv[6]))
    except KeyboardInterrupt:
        pass
