"""Planning by sampling in the world model, and the objectives that score a plan."""
