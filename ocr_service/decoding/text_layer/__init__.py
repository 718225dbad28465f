"""The text that a PDF page itself holds, read without drawing the page."""
