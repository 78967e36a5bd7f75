def packets(counters):
    total = 0
    for copies in counters.values():
        total += copies[0]  # your code
    return total


check("3.2")
