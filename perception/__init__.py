"""From camera pictures to latents: cameras, encoder, world model, losses, training, checkpoint and doctor."""
