def place(net):
    return net.middle.eth0
