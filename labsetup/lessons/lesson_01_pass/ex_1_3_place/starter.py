def place(net):
    return net.client.eth0  # your interface


check("1.3")
