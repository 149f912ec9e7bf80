"""Real documents: found in files, folders, URLs and installed packages, and read as plain text."""
