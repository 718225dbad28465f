"""Posts a file with urllib3. Usage: FILE URL"""

import sys
from pathlib import Path

import urllib3

file, url = Path(sys.argv[1]), sys.argv[2]
fields = [("file", (file.name, file.read_bytes(), "image/png"))]
answer = urllib3.PoolManager().request("POST", url, fields=fields)
print(answer.status, answer.data.decode())
