"""Real arms, one a file, each found by its name through the entry points `worldarm.arms`."""
