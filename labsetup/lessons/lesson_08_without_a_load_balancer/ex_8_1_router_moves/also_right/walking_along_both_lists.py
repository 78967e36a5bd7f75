def router_moves(before, after):
    i = j = 0
    here = moved = 0.0
    while i < len(before) and j < len(after):
        border = min((i + 1) / len(before), (j + 1) / len(after))
        if before[i] != after[j]:
            moved += border - here
        here = border
        i, j = i + ((i + 1) / len(before) <= here), j + ((j + 1) / len(after) <= here)
    return moved
