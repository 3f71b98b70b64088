"""An SMTP client that sends exactly the bytes it is told to; smtplib would mend them."""

import socket


class Reply(str):
    """A whole reply, lines joined by LF; .code is its number."""

    @property
    def code(self):
        return int(self[:3])


class Client:
    def __init__(self, address, port, source=None, seconds=30):
        self.socket = socket.create_connection((address, port), timeout=seconds,
                                               source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The next reply; ConnectionError when the server has closed."""
        lines = []
        while True:
            line = self.file.readline(8192)
            if not line.endswith(b"\r\n"):
                raise ConnectionError(f"connection closed by the server after {line!r}")
            lines.append(line[:-2].decode("latin-1"))
            if line[3:4] != b"-":
                return Reply("\n".join(lines))

    def command(self, text):
        self.send(text.encode("latin-1") + b"\r\n")
        return self.reply()

    def expect(self, text, code):
        """Sends a command whose reply must have this code."""
        reply = self.command(text)
        if reply.code != code:
            raise AssertionError(f"{text}: got {reply!r}, expected {code}")
        return reply

    def hello(self, name="client.test"):
        greeting = self.reply()
        if greeting.code != 220:
            raise AssertionError(f"greeting: {greeting!r}")
        return self.expect(f"EHLO {name}", 250)

    def envelope(self, sender, recipients, parameters=""):
        self.expect(f"MAIL FROM:<{sender}>{parameters}", 250)
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>", 250)

    def data(self, content):
        """Sends content (CRLF lines) as DATA; returns the final reply."""
        self.expect("DATA", 354)
        self.send(stuffed(content))
        return self.reply()

    def quit(self):
        reply = self.command("QUIT")
        self.close()
        return reply


def stuffed(content):
    """RFC 5321 section 4.5.2: a dot before each line that begins with one, then the end of data."""
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content + b".\r\n"


def send(address, port, sender, recipients, content, source=None, hello="client.test", parameters=""):
    """One message in one connection; returns the final reply, or the one that refused it."""
    with Client(address, port, source=source) as client:
        client.hello(hello)
        for command in [f"MAIL FROM:<{sender}>{parameters}"] + [f"RCPT TO:<{r}>" for r in recipients]:
            reply = client.command(command)
            if reply.code != 250:
                return reply
        reply = client.command("DATA")
        if reply.code != 354:
            return reply
        client.send(stuffed(content))
        reply = client.reply()
        client.quit()
        return reply
