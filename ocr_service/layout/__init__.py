"""From words to blocks, text and Markdown, for recognized pages and for the text of a PDF. Pure functions."""
