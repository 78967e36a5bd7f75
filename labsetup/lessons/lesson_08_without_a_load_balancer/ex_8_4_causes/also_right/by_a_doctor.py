from labsetup import *


def causes():
    net, odd = exhibit(9), 0
    for sport in range(60):
        owners = set()
        for name in net.vip_hosts:
            eth0 = net.hosts[name].eth0
            packet = Ether(dst=eth0.mac) / IP(dst=VIP) / TCP(sport=sport, dport=80)
            run = eth0.ours.program.run(packet)
            owners.add(eth0.mac if run.verdict == "XDP_PASS" else Ether(run.after).dst)
        odd += len(owners) > 1
    some, nearly_all = "a server left out", "another key"
    last, first = (nearly_all, some) if odd > 30 else (some, nearly_all)
    return {7: first, 8: "checksum offload", 9: last}
