from labsetup import mixed, seed_of


def choose_weighted(flow, weights):
    def score(name):
        return max(mixed(flow ^ seed_of(f"{name}/{turn}")) for turn in range(weights[name]))

    return max(weights, key=score)
