def diagnoses():
    return {
        1: "your diagnosis",
        2: "your diagnosis",
        3: "your diagnosis",
        10: "your diagnosis",
    }


check("5.4")
