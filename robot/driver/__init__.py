"""The process that owns an arm: its control loop, its lease, its modes and its sockets."""
