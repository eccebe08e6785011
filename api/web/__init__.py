"""The web page at `/`: static files, and what a browser is told to allow them."""
