"""Exercises as the reader meets them: cells of C and of Python in a kernel."""

from __future__ import annotations

import re
import time

import pytest
from support.kernels import Kernel

from labsetup.practice.exercise import find


@pytest.fixture(autouse=True)
def _fresh_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_in_a_notebook():
    kernel = Kernel()

    def run(code):
        return re.sub(r"\s+", " ", kernel.run(code))

    try:
        run("from labsetup import *")
        said = run("%%xdp closed --check 1.1\n" + find("1.1").starter)
        assert "closed: 2 instructions" in said
        assert "1.1 Closed: right" in run(
            "%%xdp closed --check 1.1\n" + find("1.1").solution + "\n"
        ) + run('print(check("1.1"))')
        said = run("%%xdp last_hop --check 2.2\n" + find("2.2").starter)
        assert "proved that 14 bytes" in said
        assert "line 16, «if (ip->ttl == 1)»" in said, "the line of the cell"
        assert "● 1.1 ○ 1.2 ○ 1.3" in run("print(progress())")
        assert "◐ 2.2" in run("print(progress())")
        run(find("1.3").solution)
        assert "1.3 The right end: right" in run('print(check("1.3"))')
        run("def packets(counters):\n\n    return counters.sum\n")
        assert "line 3, «return counters.sum»" in run('print(check("3.2"))')
        assert "%%xdp has to be the first line" in run("# mine\n%%xdp a\nint a;\n")
        assert "looks for packets, and this cell makes mine" in run(
            "def mine(counters):\n    return 0\n\ncheck('3.2')"
        )
        times = []
        for line in ("pass", "print('a word')"):
            begun = time.monotonic()
            run(f"def packets(counters):\n    {line}\n    return 0\n")
            assert ("printed a word" in run('print(check("3.2"))')) == ("print" in line)
            times.append(time.monotonic() - begun)
        assert times[1] < times[0] + 4  # no print waits, 6 s each, for a thread that is not there
        run("net = two_hosts(); closed.attach(net.server.eth0)")
        said = run("%%xdp closed\n" + find("1.1").starter)
        assert "closed from before still runs at server eth0: closed.attach(…) replaces it" in said
        run("closed.attach(net.server.eth0)")
        said = run("%%xdp closed\nint closed(struct xdp_md *ctx)\n{\n\treturn XDP_DORP;\n}\n")
        assert "closed from before still runs at server eth0; closed.detach()" in said
        assert "the last closed was refused" in run('check("1.1")')
        assert run("closed.detach(); print(net.server.eth0.xdp)") == "None "
        run("%%xdp closed\nint closed(struct xdp_md *ctx)\n{\n\treturn XDP_DORP;\n}\n")
        assert "name 'closed' is not defined" in run("closed")
        assert "net is the name of something else here" in run("%%xdp net\nint net;")
        run("place = net.client.eth0")
        assert "place is no function; def place(…): makes one" in run('check("1.3")')
        run("x, data = 1, 2")
        run(
            "%%xdp plain\nint plain(struct xdp_md *ctx)\n{\n\t/* $x {data} {x} */\n\treturn 2;\n}\n"
        )
        assert "$x {data} {x}" in run("print(plain.source)"), "a body is C, and nothing else"
        assert "begins with %%xdp NAME" in run("%%xdp plain --chekc 1.1\nint plain")
        warned = run("%%xdp plain\nint plain(struct xdp_md *ctx)\n{\n}\n")
        assert "warning: line 4, «}»: non-void function" in warned or "refused" in warned
    finally:
        kernel.close()
