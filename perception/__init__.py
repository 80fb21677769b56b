"""From camera to latent: cameras, goal pictures, encoder, world model, losses, training, checkpoint, doctor.

Knows neither planners nor arms.
"""
