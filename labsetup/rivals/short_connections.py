"""Short TCP connections, one after the other, in a process as lean as Python allows.

Run as a script, ``python -IS short_connections.py serve NAME PORT``, ``... ask ADDRESS PORT
CLIENTS NUMBER SECONDS`` or ``... time ADDRESS PORT NUMBER SIZE SECONDS [SOURCE_PORT ...]``: what is
measured with it is the network, so little else may cost.
"""

import json
import os
import socket
import sys
import time
from collections import Counter

WAIT = 1  # seconds for each step of a connection
MOST = 10_000_000  # bytes of an answer


def serve(name: str, port: int) -> None:
    """Answer each line with this server's name and the address that it came from, and close.

    A line that is a number is answered with as many bytes.
    """
    listener = socket.create_server(("", port), backlog=4096)
    print("ready", flush=True)
    answers: dict[str, bytes] = {}
    zeros = memoryview(bytes(MOST))
    while True:
        connection, (source, _) = listener.accept()
        answer = answers.get(source) or answers.setdefault(source, f"{name} {source}".encode())
        try:
            line = connection.recv(64)
            if line[:1].isdigit():
                connection.sendall(zeros[: int(line)])
            elif line:
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


def timed(address: str, port: int, number: int, size: int, seconds: float, own: list[int]) -> None:
    """One client, who asks for so many bytes each time; the last way to the end is the server's.

    Prints for each connection its microseconds until it was there and until all had come, both -1
    where it failed; and bytes, seconds, and seconds of this process's CPU time.
    """
    line, space = b"%d\n" % size, bytearray(1 << 18)
    opened, done, received = [], [], 0
    begun, used = time.monotonic(), time.process_time()
    for turn in range(number):
        if time.monotonic() - begun > seconds:
            break
        one = socket.socket()
        one.settimeout(WAIT)
        if own:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("", own[turn % len(own)]))
        got, start = 0, time.monotonic_ns()
        try:
            one.connect((address, port))
            there = time.monotonic_ns()
            one.send(line)
            while more := one.recv_into(space):
                got += more
        except OSError:
            pass
        end = time.monotonic_ns()
        one.close()
        received += got
        opened.append((there - start) / 1e3 if got == size else -1)
        done.append((end - start) / 1e3 if got == size else -1)
    took = time.monotonic() - begun, time.process_time() - used
    print(json.dumps([opened, done, received, *took]), flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    try:
        if sys.argv[1] == "serve":
            serve(sys.argv[2], int(sys.argv[3]))
        elif sys.argv[1] == "time":
            port, number, size = map(int, sys.argv[3:6])
            own = list(map(int, sys.argv[7:]))
            timed(sys.argv[2], port, number, size, float(sys.argv[6]), own)
        else:
            port, clients, number = map(int, sys.argv[3:6])
            ask(sys.argv[2], port, clients, number, float(sys.argv[6]))
    except KeyboardInterrupt:
        pass
