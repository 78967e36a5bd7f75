"""Packets: made, sent, seen, and compared field by field; scapy does the crafting."""
