def router_moves(before, after):
    return len(set(before) - set(after)) / len(before)  # those of who goes; your code


check("8.1")
