"""Bulk TCP between two hosts: it is all there, and what goes wrong ends in a sentence."""

from __future__ import annotations

import pytest

from labsetup import LabError, Program, upload


def test_it_takes_time_and_comes_through(net):
    before = net.server.eth0.counters["rx_packets"]
    assert upload(net.client, net.server, megabytes=3) > 0
    assert net.server.eth0.counters["rx_packets"] > before


def test_where_nothing_gets_through(net, monkeypatch):
    monkeypatch.setattr("labsetup.lessons.lesson_05_send_back.scene.PATIENCE", 0.3)
    Program("xdp_drop").attach(net.server.eth0)
    with pytest.raises(LabError, match=r"did not get through .*client.connect\(server\) work\?"):
        upload(net.client, net.server, megabytes=1)
