from decimal import Decimal


def router_moves(before, after):
    pieces = len(before) * len(after)
    moves = sum(before[n // len(after)] != after[n // len(before)] for n in range(pieces))
    return Decimal(moves) / pieces
