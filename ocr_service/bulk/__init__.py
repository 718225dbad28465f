"""The command `ocr-bulk`: it reads all documents below a folder or a prefix of a bucket."""
