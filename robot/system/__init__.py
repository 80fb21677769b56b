"""Files, pacing, scheduling, seeds and figures: the operating-system services that every floor uses."""
