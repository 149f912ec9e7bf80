"""The pipeline's own SQLite file: documents, vectors, answers, and what every step took."""
