"""Episodes before held-out goals, in lock-step or in real time, and what came of them."""
