"""What stands around the official PaddleOCR-VL pipeline: its VLM's client, its model thread, its results."""
