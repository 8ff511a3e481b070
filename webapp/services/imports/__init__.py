"""Import existing data: archives of calls are looked through, chosen from, and stored in a source's inbox."""
