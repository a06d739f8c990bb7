"""What a seller's clerk and the platform's staff type, read into plain values."""
