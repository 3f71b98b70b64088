"""A small SMTP server that keeps what it gets: the next hop of end-to-end tests. It answers as it is told to."""

import dataclasses
import re
import socket
import ssl
import threading
import time


@dataclasses.dataclass
class Received:
    sender: str
    recipients: list
    content: bytes
    tls: bool
    at: float = dataclasses.field(default_factory=time.monotonic)


class Sink:
    """replies: "MAIL", "DATA" (the final reply), "CONNECT" or a recipient's address -> reply other than 250."""

    def __init__(self, address, port, tls_files=None, keep_content=True):
        self.replies, self.messages, self.commands, self.sessions = {}, [], [], 0
        self.keep_content = keep_content
        self.tls = None
        if tls_files:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls_files)
        self.listener = socket.create_server((address, port), backlog=256)
        self.lock = threading.Lock()
        self.open = set()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def stop(self):
        try:  # wakes the thread in accept(), which otherwise would keep the port
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)
        self.listener.close()
        self.drop_all()

    def drop_all(self):
        """Cuts every connection."""
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def count(self):
        with self.lock:
            return len(self.messages)

    def contents(self):
        with self.lock:
            return [m.content for m in self.messages]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._session, args=(connection,), daemon=True).start()

    def _session(self, connection):
        with self.lock:
            self.open.add(connection)
            self.sessions += 1
        try:
            _Session(self, connection).run()
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()


class _Session:
    def __init__(self, sink, connection):
        self.sink, self.connection, self.secure = sink, connection, False
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = connection.makefile("rb", 65536)
        self.sender, self.recipients = None, []

    def say(self, text):
        self.connection.sendall(text.encode() + b"\r\n")

    def run(self):
        greeting = self.sink.replies.get("CONNECT", "220 sink.test ESMTP")
        self.say(greeting)
        if not greeting.startswith("220"):
            return
        while line := self.file.readline(4096):
            text = line.decode("latin-1").strip()
            with self.sink.lock:
                self.sink.commands.append(text)
            verb = text.split(" ")[0].split(":")[0].upper()
            if verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            getattr(self, f"do_{verb.lower()}", self.do_unknown)(text)

    def do_unknown(self, _text):
        self.say("500 5.5.1 unknown command")

    def do_ehlo(self, _text):
        offers = ["sink.test", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 104857600"]
        if self.sink.tls and not self.secure:
            offers.append("STARTTLS")
        self.say("\r\n".join(f"250{' ' if o is offers[-1] else '-'}{o}" for o in offers))

    do_lhlo = do_ehlo

    def do_helo(self, _text):
        self.say("250 sink.test")

    def do_starttls(self, _text):
        self.say("220 2.0.0 go ahead")
        self.file.close()
        self.connection = self.sink.tls.wrap_socket(self.connection, server_side=True)
        self.file, self.secure = self.connection.makefile("rb", 65536), True

    def do_mail(self, text):
        reply = self.sink.replies.get("MAIL", "250 2.1.0 ok")
        if reply.startswith("250"):
            self.sender, self.recipients = re.search("<(.*?)>", text)[1], []
        else:
            self.sender, self.recipients = None, []
        self.say(reply)

    def do_rcpt(self, text):
        if self.sender is None:  # what a client sends on in the same packet after a refused MAIL
            self.say("503 5.5.1 need MAIL first")
            return
        address = re.search("<(.*?)>", text)[1]
        reply = self.sink.replies.get(address, "250 2.1.5 ok")
        if reply.startswith("250"):
            self.recipients.append(address)
        self.say(reply)

    def do_rset(self, _text):
        self.sender, self.recipients = None, []
        self.say("250 2.0.0 ok")

    def do_noop(self, _text):
        self.say("250 2.0.0 ok")

    def do_data(self, _text):
        if not self.recipients:
            self.say("554 5.5.1 no valid recipients")
            return
        self.say("354 go ahead")
        lines = []
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                raise ValueError("closed inside data")
            lines.append(line[1:] if line.startswith(b".") else line)
        content = b"".join(lines)
        reply = self.sink.replies.get("DATA", "250 2.0.0 kept")
        if reply.startswith("250"):
            with self.sink.lock:
                self.sink.messages.append(Received(self.sender, self.recipients,
                                                   content if self.sink.keep_content else content[:65536], self.secure))
        self.say(reply)
        self.sender, self.recipients = None, []
