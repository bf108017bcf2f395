"""Restoring images: files in and out, tiles, and the object that a user holds."""
