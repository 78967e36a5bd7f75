import numpy as np

from labsetup import mixed


def choose(flow, servers):
    scores = [mixed(flow ^ mixed(np.uint64(n + 1))) for n in range(len(servers))]
    return servers[int(np.argmax(scores))]
