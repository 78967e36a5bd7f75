import numpy as np

from labsetup import mixed


def choose_weighted(flow, weights):
    names = [name for name in weights for _ in range(weights[name])]
    turns = np.arange(1, len(names) + 1, dtype=np.uint64)
    return names[int(mixed(flow ^ mixed(turns)).argmax())]
