"""Calls paddleocr-mcp over stdio; runs in its own environment.

Usage: ask_mcp.py; standard input has a list of calls as one line of JSON. A call has the options of the
program and the arguments of its tool. Prints the results as JSON. Equal options share a server, whose imports
take seconds.
"""

import asyncio
import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def ask(options: list[str], calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Start the MCP server as an assistant does, and call its only tool with each of the arguments."""
    program = str(Path(sys.executable).with_name("paddleocr_mcp"))
    server = StdioServerParameters(command=program, args=options)
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        [tool] = (await session.list_tools()).tools
        results = [await session.call_tool(tool.name, arguments) for arguments in calls]
    return [result.model_dump(mode="json", by_alias=True) for result in results]


async def ask_all(calls: list[tuple[list[str], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the results in the order of the calls; calls with equal options follow each other."""
    servers = groupby(calls, key=lambda call: call[0])
    return [
        answer
        for options, shared in servers
        for answer in await ask(options, [arguments for _, arguments in shared])
    ]


print(json.dumps(asyncio.run(ask_all(json.loads(sys.stdin.readline())))))
