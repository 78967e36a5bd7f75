import numpy as np


def router_moves(before, after):
    places = (np.arange(100_000) + 0.5) / 100_000
    was = np.array(before)[(places * len(before)).astype(int)]
    now = np.array(after)[(places * len(after)).astype(int)]
    return (was != now).mean()
