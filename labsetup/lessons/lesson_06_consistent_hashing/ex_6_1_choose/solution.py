from labsetup import mixed, seed_of


def choose(flow, servers):
    def score(name):
        return mixed(flow ^ seed_of(name))

    return max(servers, key=score)
