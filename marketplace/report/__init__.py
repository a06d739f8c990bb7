"""The channel report: figures by channel, seller and day, as page, JSON and Excel."""
