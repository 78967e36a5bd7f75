from labsetup import LabError, ecmp, moved, next_hops, no_balancer, random_flows

net = no_balancer()
net.close()  # as for the check the network of a notebook is


def router_moves(before, after):
    flows = random_flows(1000, clients="203.0.113.0/24")
    at = []
    for names in (before, after):
        ecmp(net, names)
        at.append(next_hops(net, flows))
    return moved(*at)
