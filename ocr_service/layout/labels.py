"""Labels of blocks, with the names of PaddleOCR."""

DOC_TITLE = "doc_title"
PARAGRAPH_TITLE = "paragraph_title"
TEXT = "text"
LIST = "list"
TABLE = "table"
