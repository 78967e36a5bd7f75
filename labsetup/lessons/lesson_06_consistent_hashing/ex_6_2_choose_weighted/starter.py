from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    def score(name):
        return mixed(flow ^ seed_of(name))  # your code

    return max(weights, key=score)


check("6.2")
