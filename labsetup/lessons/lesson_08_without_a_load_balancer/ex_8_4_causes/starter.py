def causes():
    return {
        7: "your diagnosis",
        8: "your diagnosis",
        9: "your diagnosis",
    }


check("8.4")
