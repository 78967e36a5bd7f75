"""What becomes of packets where tcpdump does not look: in and around XDP programs."""
