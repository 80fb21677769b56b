"""Entities: an encoder whose latent is a set of tokens, one for each thing in the picture."""
