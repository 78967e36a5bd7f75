from labsetup import mixed, seed_of


def choose(flow, servers):
    best, winner = -1, None
    for name in servers:
        score = int(mixed(mixed(flow) ^ seed_of(name)))
        if score > best:
            best, winner = score, name
    return winner
