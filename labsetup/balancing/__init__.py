"""Which server gets which connection: hashing, the balancer, and connections to see it by."""
