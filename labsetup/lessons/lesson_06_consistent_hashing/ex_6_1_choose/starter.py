from labsetup import mixed, seed_of


def choose(flow, servers):
    return servers[int(flow) % len(servers)]  # your code


check("6.1")
