from labsetup import *


def diagnoses():
    found = {}
    for room in (1, 2, 3, 10):
        net = exhibit(room)
        law = account(net)
        pinged = net.client.ping(net.server, wait=0.3).received
        came = {row.where: row.received for row in law.balances}
        if not pinged:
            there = came["server eth0"]
            found[room] = "GRO alone at the peer" if there else "no program at the peer"
            continue
        with capture(net.server.eth0) as wire:
            net.client.connect(net.server, wait=0.3)
        macs = {seen.packet.dst for seen in wire if not seen.sent}
        stray = macs - {net.server.eth0.mac}
        found[room] = "wrong MAC address" if stray else "checksum offload"
    return found
