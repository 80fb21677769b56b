"""Franka Research 3 and Panda over the Franka Control Interface."""
