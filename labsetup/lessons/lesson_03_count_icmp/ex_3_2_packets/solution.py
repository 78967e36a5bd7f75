def packets(counters):
    total = 0
    for copies in counters.values():
        for copy in copies:
            total += copy
    return total
