"""Smart cabinets: sites, cabinets, slots, restocking and what devices report."""
