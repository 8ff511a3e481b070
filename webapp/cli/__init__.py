"""Commands of `flask --app wsgi`: what the pages offer, for scripts."""
