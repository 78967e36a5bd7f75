from math import lcm


def router_moves(before, after):
    slices = lcm(len(before), len(after))
    moved = 0
    for number in range(slices):
        if before[number * len(before) // slices] != after[number * len(after) // slices]:
            moved += 1
    return moved / slices
