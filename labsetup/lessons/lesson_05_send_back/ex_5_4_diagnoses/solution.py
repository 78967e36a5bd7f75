def diagnoses():
    return {
        1: "no program at the peer",
        2: "checksum offload",
        3: "wrong MAC address",
        10: "GRO alone at the peer",
    }
