"""A name server for tests: answers from a dictionary over UDP."""

import ipaddress
import socket
import struct
import threading

A, CNAME, PTR, MX, AAAA = 1, 5, 12, 15, 28
SERVFAIL, NXDOMAIN, SILENT = "SERVFAIL", "NXDOMAIN", "SILENT"
STATUS = {SERVFAIL: 2, NXDOMAIN: 3}


class DnsStub:
    """records: name -> {type: [values]}, or SERVFAIL or SILENT instead of a dictionary or of a list.

    A name below which others exist has no data; every other name does not exist.
    """

    def __init__(self, address, records, port=53):
        self.records = {name.lower().rstrip("."): value for name, value in records.items()}
        self.ttl = 60
        self.outage = None  # SERVFAIL, NXDOMAIN or SILENT: what everybody gets meanwhile
        self.questions = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def stop(self):
        try:  # wakes the thread, which otherwise would keep the port
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)
        self.socket.close()

    def _serve(self):
        while True:
            try:
                question, client = self.socket.recvfrom(4096)
                if not question:
                    return
                answer = self._answer(question)
                if answer:
                    self.socket.sendto(answer, client)
            except OSError:
                return

    def _answer(self, packet):
        name, end = _read_name(packet, 12)
        kind = struct.unpack(">H", packet[end:end + 2])[0]
        self.questions.append((name, kind))
        if outage := self.outage:
            return None if outage == SILENT else _reply(packet, end, STATUS[outage], [])
        found = self.records.get(name.lower())
        values = found.get(kind, []) if isinstance(found, dict) else found
        if SILENT in (found, values):
            return None
        failed = SERVFAIL in (found, values)
        exists = found is not None or any(n.endswith("." + name.lower()) for n in self.records)
        status = STATUS[SERVFAIL] if failed else 0 if exists else STATUS[NXDOMAIN]
        return _reply(packet, end, status, [] if failed else [_record(kind, value, self.ttl) for value in values or []])


def _reply(packet, end, status, records):
    head = packet[:2] + struct.pack(">HHHHH", 0x8580 | status, 1, len(records), 0 if records else 1, 0)
    return head + packet[12:end + 4] + (b"".join(records) or _soa())


def _read_name(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    return ".".join(labels), at + 1


def _name(text):
    return b"".join(bytes([len(part)]) + part.encode("latin-1") for part in text.rstrip(".").split(".") if part) + b"\0"


def _record(kind, value, ttl):
    if kind in (A, AAAA):
        data = ipaddress.ip_address(value).packed
    elif kind == MX:
        data = struct.pack(">H", value[0]) + _name(value[1])
    else:
        data = _name(value)
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def _soa():
    data = _name("ns.stub.test") + _name("root.stub.test") + struct.pack(">IIIII", 1, 3600, 900, 86400, 1)
    return b"\0" + struct.pack(">HHIH", 6, 1, 1, len(data)) + data


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer
