"""The vectors: what the Python client makes of inputs of ours, written down for every other client to be held to."""
