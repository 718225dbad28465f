"""Calls paddleocr-mcp over stdio; runs in its own environment.

Usage: ask_mcp.py BASE_URL MODEL, with the arguments of the tool as one line of JSON on standard input. Prints
the result of the tool as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def ask(base_url: str, model: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Start the MCP server as an assistant does, and call its only tool."""
    server = StdioServerParameters(
        command=str(Path(sys.executable).with_name("paddleocr_mcp")),
        args=["--ppocr_source", "self_hosted", "--self-hosted-base-url", base_url, "--model", model],
    )
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        [tool] = (await session.list_tools()).tools
        called = await session.call_tool(tool.name, arguments)
    answer: dict[str, Any] = called.model_dump(mode="json", by_alias=True)
    return answer


url, model_name = sys.argv[1:]
print(json.dumps(asyncio.run(ask(url, model_name, json.loads(sys.stdin.readline())))))
