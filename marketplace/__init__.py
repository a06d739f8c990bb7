"""The marketplace: the application that wires all rooms together."""
