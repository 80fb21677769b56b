"""Default address of the page: this machine's loopback."""

HOST = "127.0.0.1"
PORT = 8080
