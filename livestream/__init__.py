"""Channels that talk: broadcasts, share links, touches, and the one crediting rule."""
