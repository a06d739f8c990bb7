"""Pages of broadcasts and share links, one module per kind of reader."""
