"""The default address of each process: on this machine's loopback."""

STATE = "tcp://127.0.0.1:5551"
COMMAND = "tcp://127.0.0.1:5552"
FRAMES = "tcp://127.0.0.1:5553"
DECISIONS = "tcp://127.0.0.1:5554"
