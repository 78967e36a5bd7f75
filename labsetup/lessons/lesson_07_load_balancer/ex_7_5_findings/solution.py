def findings():
    return {
        4: "per-packet hashing",
        5: "a server without the VIP",
        6: "ARP flux",
    }
