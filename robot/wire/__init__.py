"""Messages, topics, addresses and sockets between processes."""
