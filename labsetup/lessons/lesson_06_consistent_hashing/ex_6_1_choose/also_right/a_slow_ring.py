from labsetup import mixed, seed_of


def choose(flow, servers):
    points = {}
    for name in servers:
        for number in range(40):
            points[int(mixed(seed_of(f"{name} {number}")))] = name
    ring = sorted(points)
    ahead = [place for place in ring if place >= int(flow)]
    return points[ahead[0] if ahead else ring[0]]
