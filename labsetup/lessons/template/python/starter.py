def template_name(numbers):
    return 0  # your code; FILL IN: what the reader begins with


check("0.0")
