"""Keyboard, gamepad, leader arm and terminal as input devices."""
