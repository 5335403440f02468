"""A real SMTP server for tests (aiosmtpd). Accepted mails become files; the recipient's address says what goes wrong.

    server.py FOLDER [--tls CERTIFICATE] [--starttls CERTIFICATE] [--delay-ms N]

Prints the port it listens on. Recipients whose address starts with

    refuse-      are refused for good (550)
    content-     have their message refused for good after it was read (554)
    busy-        are put off (451) the first two times, then taken
    hang-        get no answer to their message
    hold-        get none before the file `go` is in the folder
    drop-        lose the connection in the middle of their message
"""

import argparse
import asyncio
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP


class Mailbox:
    def __init__(self, folder, delay):
        self.folder = pathlib.Path(folder)
        self.delay = delay
        # A folder that is taken over from an earlier server keeps its mails.
        self.count = len(list(self.folder.glob("*.json")))
        self.put_off = {}
        # Messages that were read and are not answered yet.
        self.open = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refuse-"):
            return "550 no such mailbox"
        if address.startswith("busy-"):
            self.put_off[address] = self.put_off.get(address, 0) + 1
            if self.put_off[address] <= 2:
                return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.open += 1
        try:
            return await self.take(envelope)
        finally:
            self.open -= 1

    async def take(self, envelope):
        to = envelope.rcpt_tos[0]
        if to.startswith("content-"):
            return "554 this content is not accepted"
        if to.startswith("hang-"):
            await asyncio.sleep(3600)
        self.count += 1
        name = f"{self.count:06d}"
        text = envelope.content.decode("utf-8", "replace")
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": text, "at_once": self.open}
        unfinished = self.folder / f"{name}.part"
        unfinished.write_text(json.dumps(mail), "utf-8")
        unfinished.rename(self.folder / f"{name}.json")
        while to.startswith("hold-") and not (self.folder / "go").exists():
            await asyncio.sleep(0.02)
        if self.delay:
            # The mail is taken, but the sender does not know it yet.
            await asyncio.sleep(self.delay)
        return "250 taken as " + name


class Server(SMTP):
    async def smtp_DATA(self, arg):
        if self.envelope and any(to.startswith("drop-") for to in self.envelope.rcpt_tos):
            await self.push("354 go on")
            await self._reader.readline()
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


def context(certificate):
    if not certificate:
        return None
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate)
    return made


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--tls")
    parser.add_argument("--starttls")
    parser.add_argument("--delay-ms", type=int, default=0)
    arguments = parser.parse_args()
    implicit, upgrade = context(arguments.tls), context(arguments.starttls)
    mailbox = Mailbox(arguments.folder, arguments.delay_ms / 1000)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Server(
            mailbox, enable_SMTPUTF8=True, loop=loop, tls_context=upgrade, require_starttls=upgrade is not None
        ),
        "127.0.0.1",
        0,
        ssl=implicit,
        backlog=512,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test: its end of standard input closes.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
