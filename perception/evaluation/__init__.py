"""The doctor's gates: what a world model must be able to do before anybody plans with it."""
