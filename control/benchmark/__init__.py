"""What a decision costs, and what more processes bring, measured."""
