"""Tasks and their goals: setup, goal pictures, and the success check."""
