"""Sign-in and what belongs to one person: registration, language, my page, tokens."""
