"""Files, pacing, scheduling, seeds and figures: what every floor needs of the machine."""
