"""Hosts, interfaces and commands on them."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import statistics
import threading
import time
from typing import Any

import pytest
from support.pictures import drawn, svg

from labsetup import (
    ICMP,
    IP,
    TCP,
    Ether,
    LabError,
    Program,
    account,
    capture,
    no_balancer,
    record,
    send,
    two_hosts,
)
from labsetup.errors import Nameable
from labsetup.network.interface import Counters
from labsetup.programs.sources import SOURCES

TEXT: Any = "text"  # where no text belongs


def test_two_hosts_talk(net):
    ping = net.client.ping(net.server)
    assert (ping.sent, ping.received) == (3, 3)
    assert ping.command == "ip netns exec client ping -c 3 -i 0.05 -W 1 192.0.2.2"


def test_ipv6_on_request():
    net = two_hosts(ipv6=True)
    assert net.client.ping("2001:db8::2").received == 3


@pytest.mark.alone
def test_building_takes_less_than_a_tenth_of_a_second():
    times = []
    for _ in range(9):
        begun = time.perf_counter()
        two_hosts()
        times.append(time.perf_counter() - begun)
    assert statistics.median(times) < 0.1


def test_the_wires_are_quiet(net):
    net.client.ping(net.server, count=1)
    with capture(net) as wire:
        Program("xdp_pass").attach(net.server.eth0)
        time.sleep(6)  # longer than the 5 s after which ARP would ask again
    assert list(wire) == []


def test_the_last_network_draws_and_has_its_vip():
    net = no_balancer()
    assert "VIP 198.51.100.10/32 for s1, s2, s3, s4" in repr(net)
    assert "198.51.100.10/32" in net.s3.run("ip -brief address show lo")
    assert net.router.ping(net.s4).received == 3


def test_a_drawing_says_the_same_as_the_text_and_has_no_random_ids(net):
    Program("xdp_drop").attach(net.server.eth0)
    bundle = drawn(net)
    for words in ("client", "server", "192.0.2.1/24", "xdp_drop", "put there by the lab"):
        assert words in bundle["text/plain"]
        assert words in svg(bundle)
    html = bundle["text/html"]
    net = two_hosts()
    Program("xdp_drop").attach(net.server.eth0)
    assert drawn(net)["text/html"] == html


def test_checksum_offload_is_off(net):
    for interface in (net.client.eth0, net.server.eth0):
        said = interface.host.run(f"ethtool --show-offload {interface.name}")
        assert "tx-checksumming: off" in said


def test_an_interrupted_command_is_ended_and_says_so(net, interruptible):
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(LabError, match="tail -f /dev/null» was interrupted"):
        net.server.run("tail -f /dev/null", timeout=10)
    timer.join()
    assert not net.server.pids


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda net: net.sever, "no host sever; it has: client, server"),
        (lambda net: net.server.eht0, "server has no interface or method eht0; its"),
        (lambda net: net.server.eth0.counters["xdp_drop"], "there is no counter xdp_drop"),
        (lambda net: net.server.run("echo 'a"), "cannot be read: No closing quotation"),
        (lambda net: net.server.run("tcpdmup"), "no command tcpdmup; check its spelling"),
        (lambda net: net.server.run("ip a | grep eth0"), "sh -c 'ip a | grep eth0'"),
        (lambda net: net.server.start("cat &"), "without a shell, and & is the shell's"),
        (lambda net: net.server.run(""), "empty command"),
        (lambda net: net.client.ping(net.server, cpu=999), "there is no CPU 999"),
        (lambda net: net.server.run("tail -f /dev/null", timeout=0.2), "was ended after 0.2 s"),
        (lambda net: net.server.tcpdump("eth7"), "ended without printing 'listening on'"),
        (lambda net: net.client.ping("192.0.2.300"), 'address such as "192.0.2.2", not \'192'),
        (lambda net: net.client.ping("server"), "such as net.server, without quotation marks"),
        (lambda net: net.client.ping("servr"), "such as net.server, without quotation marks"),
        (lambda net: net.client.ping("example.org"), "such as \"192.0.2.2\", not 'example.org'"),
        (lambda net: net.client.ping("192.0.2.2/24"), "without its prefix: '192.0.2.2', not"),
        (lambda net: net.client.ping(""), "ping() takes a host such as net.server, or an"),
        (lambda net: send(net.client.eth0, TEXT), "send() takes a packet"),
        (lambda net: send(net.client.eth0, TCP(dport=7)), "TCP travels in IP: put it in front"),
        (lambda net: send(net.client.eth0, IP(), count=0), "the count of send() is"),
        (lambda net: send(net.client, IP()), "send() takes an interface"),
        (lambda net: send(net.client.eth0, b"x" * 2000), "a frame of 2000 bytes"),
        (lambda net: send(net.client.eth0, b""), "a frame of 0 bytes"),
        (lambda net: net.client.ping(net), "as target, not a Network"),
        (lambda net: net.client.ping(net.server, count="3"), "takes a whole number as count"),
        (lambda net: capture(TEXT), "capture() takes a network"),
        (lambda net: net.client.connect("192.0.2.2"), "connect() takes a host"),
        (lambda net: net.client.connect(net.server, port=70000), "from 1 to 65,535, not 70000"),
        (lambda net: Program("xdp_pass").attach(net.server), "attach() takes an interface"),
        (lambda net: Program("xdp_pass").attach(net.server.eth0, mode="fast"), "no mode 'fast'"),
    ],
)
def test_each_mistake_gets_a_sentence(net, act, sentence):
    with pytest.raises(LabError) as caught:
        act(net)
    assert sentence in str(caught.value)
    rendered = " ".join(caught.value._render_traceback_())
    assert rendered.split() == f"{type(caught.value).__name__}: {caught.value}".split()


def test_names_that_python_probes_for_are_no_mistakes(net):
    assert not hasattr(net, "_ipython_canary_method_should_not_exist_")
    assert not hasattr(net.client, "nonsense")
    assert "eth0" in dir(net.client)
    assert "client" in dir(net)


def test_a_capture_sees_both_ends_in_order(net):
    with capture(net) as wire:
        net.client.ping(net.server, count=10, interval=0.01)
    icmp = [seen for seen in wire if ICMP in seen.packet]
    there, back = ["client", "server"], ["server", "client"]
    assert [(s.interface.host.name, s.sent) for s in icmp] == 10 * [
        *zip(there, [True, False], strict=True),
        *zip(back, [True, False], strict=True),
    ]


def test_tcpdump_loses_nothing_that_came_before_it_was_stopped(net):
    for _ in range(5):
        with net.server.tcpdump("eth0", "icmp") as dump:
            net.client.ping(net.server, count=3)
        assert "6 packets captured" in dump.output


def test_send_fills_in_addresses(net):
    with capture(net.server.eth0) as wire:
        send(net.client.eth0, IP() / ICMP())
    first = wire[0].packet
    assert (first[Ether].src, first[Ether].dst) == (net.client.eth0.mac, net.server.eth0.mac)
    assert (first[IP].src, first[IP].dst) == ("192.0.2.1", "192.0.2.2")


def test_a_capture_has_room_and_counts_what_it_has_no_room_for(net):
    with capture(net.server.eth0) as wire:
        send(net.client.eth0, Ether(type=0x88B5) / b"x", count=20_000)
        assert "still capturing" in repr(wire)
    assert (len(wire), wire.lost) == (20_000, 0)


def test_an_interface_that_is_gone_is_named(net):
    net.client.run("ip link del eth0")
    with pytest.raises(LabError, match="eth0 is gone; run the cell"):
        repr(net)


def test_counters_subtract():
    assert Counters(a=3, b=2) - Counters(a=1) == {"a": 2, "b": 2}
    assert repr(Counters(a=0)) == "all counters at 0"


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (lambda net: net.server.eth0, "countrs", "an Interface has no countrs; type counters"),
        (lambda net: net.server.eth0, "frobnicate", "has no frobnicate; it has addresses, attach"),
        (account, "chek", "an Account has no chek; type check"),
        (capture, "Stop", "a Capture has no Stop; type stop"),
        (lambda net: Program("xdp_pass"), "atach", "a Program has no atach; type attach"),
        (lambda net: record(Program("xdp_pass", capture=True)), "lsot", "a Record has no lsot; "),
        (lambda net: Program("icmp_count")["icmp_packets"], "valeus", "a Map has no valeus; type"),
    ],
)
def test_a_name_that_is_not_there_is_an_attribute_error_as_ever(net, make, name, says):
    one = make(net)
    with pytest.raises(AttributeError) as caught:
        getattr(one, name)
    assert isinstance(caught.value, LabError)
    assert says in str(caught.value)
    assert not hasattr(one, name)
    assert getattr(one, name, 7) == 7
    with pytest.raises(AttributeError, match=r"object has no attribute '_own'") as plain:
        getattr(one, f"_{'own'}")
    assert not isinstance(plain.value, LabError)


def test_a_program_can_be_copied_as_ever():
    assert copy.copy(Program("xdp_pass")).name == "xdp_pass"


def test_a_property_that_fails_tells_its_own_error():
    class Odd(Nameable):
        @property
        def wrong(self) -> object:
            raise AttributeError("no inner")

    with pytest.raises(AttributeError, match=r"^no inner$"):
        assert Odd().wrong


@pytest.mark.skipif(not shutil.which("xdp-loader"), reason="no xdp-loader here")
def test_two_notebooks_may_call_xdp_loader_at_once(net, tmp_path):
    file = tmp_path / "xdp_pass.o"
    source = SOURCES / "xdp_pass.c"
    net.server.run(f"clang -O2 -g -target bpf -c {source} -o {file}")
    said: list[Any] = []

    def load_and_unload(host: Any) -> None:
        for _ in range(5):
            said.append(host.run(f"xdp-loader load --mode native eth0 {file}"))
            said.append(host.run("xdp-loader unload eth0 --all"))

    both = [threading.Thread(target=load_and_unload, args=[host]) for host in net]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.status for one in said] == [0] * 20, said
