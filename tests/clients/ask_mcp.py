"""Calls paddleocr-mcp over stdio; runs in its own environment.

Usage: ask_mcp.py OPTION..., with the options of paddleocr_mcp; standard input has the arguments of the tool
as one line of JSON. Prints the result of the tool as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def ask(options: list[str], arguments: dict[str, Any]) -> dict[str, Any]:
    """Start the MCP server as an assistant does, and call its only tool."""
    program = str(Path(sys.executable).with_name("paddleocr_mcp"))
    server = StdioServerParameters(command=program, args=options)
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        [tool] = (await session.list_tools()).tools
        called = await session.call_tool(tool.name, arguments)
    answer: dict[str, Any] = called.model_dump(mode="json", by_alias=True)
    return answer


print(json.dumps(asyncio.run(ask(sys.argv[1:], json.loads(sys.stdin.readline())))))
