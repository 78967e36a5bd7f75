from labsetup import *


def diagnoses():
    found = {}
    for room in (1, 2, 3, 10):
        net = exhibit(room)
        law = account(net)
        pinged = net.client.ping(net.server, wait=0.3).received
        if any(row.missing for row in law.balances):
            found[room] = "no program at the peer"
            continue
        if not pinged:
            found[room] = "GRO alone at the peer"
            continue
        with capture(net.server.eth0) as wire:
            net.client.connect(net.server, wait=0.3)
        macs = {seen.packet.dst for seen in wire if not seen.sent}
        stray = macs - {net.server.eth0.mac}
        found[room] = "wrong MAC address" if stray else "checksum offload"
    return found
