"""A searchable PDF: the pages as they were sent, with their text in the places where it is seen."""
