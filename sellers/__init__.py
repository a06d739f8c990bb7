"""The supply side: sellers, households, products, lots, offers and the stock rule."""
