"""Pages and API of buying: cart, checkout and orders."""
