"""The page of parts: what the shop looks like, for those who build pages."""
