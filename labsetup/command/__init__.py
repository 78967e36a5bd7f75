"""The verbs of labsetup/lab, a file each; `__main__` parses the command line."""
