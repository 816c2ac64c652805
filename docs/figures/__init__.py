"""Draws the figures of docs/explanation/method.md into docs/images."""
