def findings():
    return {
        4: "your diagnosis",
        5: "your diagnosis",
        6: "your diagnosis",
    }


check("7.5")
