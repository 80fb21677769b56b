"""What the driver promises, measured: a lapse, a crash, a flood of nonsense, strangers, lateness and round trips."""
