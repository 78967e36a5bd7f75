"""What clang and the verifier object to, in plain words and at the line of the reader's own C.

The words are data: ``refusals.toml`` has the verifier's, ``remarks.toml`` clang's.
"""
