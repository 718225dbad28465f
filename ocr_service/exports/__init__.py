"""A result as a file for people: HTML, a Word document, a searchable PDF."""
