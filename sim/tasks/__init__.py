"""Tasks and their goals: how they are set up, shown and judged."""
