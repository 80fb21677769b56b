"""Real arms, one package per maker, each found by name through the entry-point group `worldarm.arms`."""
