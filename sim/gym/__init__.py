"""worldarm's tasks as Gymnasium environments, and Gymnasium environments as worlds for worldarm's models."""
