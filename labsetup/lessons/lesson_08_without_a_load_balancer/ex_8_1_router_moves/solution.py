def router_moves(before, after):
    stays = 0
    for name in set(before) & set(after):
        i, j = before.index(name), after.index(name)
        begins = max(i / len(before), j / len(after))
        ends = min((i + 1) / len(before), (j + 1) / len(after))
        stays += max(0, ends - begins)
    return 1 - stays


check("8.1")
