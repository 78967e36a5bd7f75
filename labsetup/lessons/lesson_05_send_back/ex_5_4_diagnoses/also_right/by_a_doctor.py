from labsetup import *


def diagnoses():
    found = {}
    for room in (1, 2, 3):
        net = exhibit(room)
        law = account(net)
        pinged = net.client.ping(net.server, wait=0.3).received
        if any(row.missing for row in law.balances):
            found[room] = "no program at the peer"
        else:
            found[room] = "checksum offload" if pinged else "wrong MAC address"
    return found
