"""A searchable PDF: the pages as they were sent, with invisible text over the text that is seen."""
