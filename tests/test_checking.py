"""check() and judge(): what they take, what they say, and what they leave alone."""

from __future__ import annotations

import html
import os
import re
import signal
import threading
from pathlib import Path

import pytest
from support.kernels import gone_within
from support.pictures import drawn
from support.replies import right, said

import labsetup
from labsetup import LabError, Program
from labsetup.compiling import bcc as compiling
from labsetup.pictures.replies import words_html
from labsetup.practice.exercise import find
from labsetup.practice.judge import judge
from labsetup.practice.notebook import check
from labsetup.practice.progress import progress


@pytest.fixture(autouse=True)
def _fresh_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_no_module_stands_in_front_of_a_name():
    """`labsetup.check` is the function also once a module of that name were loaded."""
    folder = Path(labsetup.__file__).parent
    taken = {path.stem for path in folder.iterdir()}
    assert not taken & set(dir(labsetup))


def test_check_takes_a_program_a_function_or_a_path(tmp_path):
    program = Program("closed", find("1.1").solution)
    assert right("1.1", program)
    assert not right("3.2", lambda counters: 0)
    path = tmp_path / "any.c"
    path.write_text(find("1.1").solution.replace("closed", "any"))
    assert right("1.1", str(path))
    assert right("1.1", path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("9.9",), "there is no exercise 9.9"),
        (("2.99",), "lesson 2 has 2.1, 2.2, 2.3"),
        (("1.1",), "there is no closed yet: run the cell that begins with %%xdp closed"),
        (("3.2",), "def packets(...)"),
        (("1.1", "nowhere.c"), "there is no file nowhere.c"),
        (("1.1", 7), "not int"),
    ],
)
def test_what_cannot_be_checked_is_said_in_a_sentence(arguments, sentence):
    with pytest.raises(LabError) as caught:
        check(*arguments)
    assert sentence in str(caught.value)


def test_a_check_leaves_network_and_counts_alone(net):
    program = Program("load", find("3.1").solution)
    program.attach(net.server.eth0)
    assert right("3.1", program)
    assert program["frame_bytes"][0].sum == 0
    assert right("1.3", lambda net: net.middle.eth0)
    assert net.client.ping(net.server, count=1).received == 1


def test_an_interrupted_check_is_a_sentence_and_no_try(interruptible):
    def packets(counters):
        while True:
            pass

    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(LabError, match="interrupted; run it again"):
        check("3.2", packets)
    timer.join()
    assert "◐" not in repr(progress()).splitlines()[2]


def test_a_refusal_comes_with_what_clang_warned_of():
    unasked = find("2.2").starter.replace("ip->ttl == 1", "ip->ttl = 1")
    reply = judge(find("2.2"), unasked)
    assert "warned line" in said(reply) and "assignment as a condition" in said(reply)


def test_answers_that_do_not_end_or_end_everything_are_ended():
    sleepy = judge(find("3.2"), "def packets(counters):\n    while True: pass\n", seconds=0.5)
    assert not sleepy.ok
    assert "no end after" in said(sleepy)
    assert "a loop that never ends" in sleepy.think
    deadly = judge(find("3.2"), "import os\ndef packets(counters):\n    os._exit(0)\n")
    assert not deadly.ok
    assert "it ended the process" in said(deadly)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def other(counters):\n    return 0\n", "it has no function packets"),
        ("def packets(counters)\n", "SyntaxError"),
        ("def packets(counters):\n    return counters['x']\n", "KeyError"),
    ],
)
def test_python_that_fails_is_no_error_of_the_check(source, words):
    reply = judge(find("3.2"), source)
    assert not reply.ok
    assert words in said(reply)


RAISES = {  # the answer to an exercise, and what the reply says of it
    "in the function": (
        "3.2",
        "def packets(counters):\n\n    return counters.x\n",
        "AttributeError in line 3, «return counters.x»: 'dict' object has no attribute 'x' think "
        "Call it yourself",
    ),
    "further down in the answer": (
        "3.2",
        "def one(x):\n    return 1 / 0\n\ndef packets(counters):\n    return one(0)\n",
        "ZeroDivisionError in line 2, «return 1 / 0»: division by zero think",
    ),
    "in the lab, called from the answer": (
        "1.3",
        "def place(net):\n    return net.client.eth1\n",
        "happened line 2, «return net.client.eth1»: client has no interface or method eth1",
    ),
    "where it is called, for it takes nothing": (
        "3.2",
        "def packets():\n    return 0\n",
        "takes 0 positional arguments but 1 was given think Does it take",
    ),
    "where it is called, for it takes too little": (
        "6.1",
        "def choose(flow):\n    return flow\n",
        "TypeError: choose() takes 1 positional argument but 2 were given think Does it take",
    ),
    "before it is called": (
        "3.2",
        "import nothing_of_this_name\n",
        "ModuleNotFoundError in line 1, «import nothing",
    ),
}


@pytest.mark.parametrize("kind", RAISES)
def test_what_an_answer_raises_is_told_with_its_line(kind, tmp_path):
    number, source, words = RAISES[kind]
    path = tmp_path / "mine.py"
    path.write_text(source)
    for answer in (source, path):
        reply = judge(find(number), answer)
        assert not reply.ok
        assert words in said(reply), reply


def test_a_map_that_was_renamed_is_named():
    renamed = find("3.1").solution.replace("frame_bytes", "bytes_of_frames")
    assert "has no map 'frame_bytes'" in said(judge(find("3.1"), renamed))


def test_a_reply_says_the_same_in_html():
    reply = judge(find("1.1"), find("1.1").starter)
    page = drawn(reply)["text/html"]
    for _, text in reply.lines:
        assert text.replace("'", "&#x27;") in page
    assert drawn(reply)["text/plain"] == repr(reply)


def test_the_field_that_differs_is_named():
    source = """
int load(struct xdp_md *ctx)
{
	unsigned char *p = (void *)(long)ctx->data;
	if ((void *)(p + 34) > (void *)(long)ctx->data_end) return XDP_PASS;
	p[22]--;
	return XDP_PASS;
}
BPF_ARRAY(frame_bytes, u64, 1);
"""
    reply = said(judge(find("3.1"), source))
    assert "differs IP ttl: 63, expected 64" in reply
    assert "chksum" not in reply, "it is what it was, and wrong only since the TTL is"


def test_a_check_that_is_ended_leaves_no_compiler_behind(tmp_path, monkeypatch):
    work, path = compiling._work, tmp_path / "pid"

    def noted(*arguments):
        path.write_text(str(os.getpid()))
        work(*arguments)

    monkeypatch.setattr(compiling, "_work", noted)
    doubled = "\n".join(f"#define D{n} D{n - 1} D{n - 1}" for n in range(1, 28))
    source = f"#define D0 x ^= x << 3;\n{doubled}\nint closed(struct xdp_md *ctx)\n"
    source += "{ unsigned long x = ctx->data; D27 return x & 1; }\n"
    assert "no end after" in said(judge(find("1.1"), source, seconds=2))
    assert gone_within({int(path.read_text())}, 2)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "drop_icmp compares it with ETH_P_IP, and/or TCP/IP (as before)",
            ["drop_icmp", "ETH_P_IP"],
        ),
        ("`ping -c 1` then", ["ping -c 1"]),
        ("if ctx->data + 14 > data_end", ["ctx->data", "data_end"]),
        ("ask max(f(a), b)[0], then net.client.ping(net.server).", None),
        ("&key goes to bytes.lookup(&key)", ["bytes.lookup(&amp;key)"]),
    ],
)
def test_code_in_a_sentence_looks_like_code(text, code):
    page = words_html(text)
    found = re.findall("<code>(.*?)</code>", page)
    assert found == (code or ["max(f(a), b)[0]", "net.client.ping(net.server)"])
    assert html.unescape(re.sub("</?code>", "", page)) == text.replace("`", "")
