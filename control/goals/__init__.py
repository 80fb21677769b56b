"""The current goal, the order of goals, and the detection that a goal is reached."""
