total = 0


def packets(counters):
    global total
    for copies in counters.values():
        total += sum(copies)  # your code
    return total


check("3.2")
