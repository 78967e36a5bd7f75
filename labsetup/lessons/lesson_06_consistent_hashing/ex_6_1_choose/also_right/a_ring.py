from labsetup import mixed, seed_of
import numpy as np


def choose(flow, servers):
    numbers = np.arange(1, 401, dtype=np.uint64)
    best = None
    for name in servers:
        ahead = (mixed(numbers ^ seed_of(name)) - flow).min()
        if best is None or ahead < best[0]:
            best = ahead, name
    return best[1]
