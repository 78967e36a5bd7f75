def causes():
    return {
        7: "a server left out",
        8: "checksum offload",
        9: "another key",
    }
