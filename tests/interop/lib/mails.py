"""Messages that are hard to carry intact, and ordinary ones."""

import base64
import random

RANDOM_SEED = 5321


def header(message_id, subject, more="", recipient="recipient@example.test"):
    return (f"From: Sender <sender@sender.test>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n"
            f"Message-ID: <{message_id}>\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\n{more}\r\n").encode()


def plain(message_id, body=b"Hello,\r\n\r\nthis is a message.\r\n", recipient="recipient@example.test"):
    return header(message_id, "plain", recipient=recipient) + body


def attachment(message_id, size_bytes):
    """A MIME message with `size_bytes` of base64 text."""
    raw = random.Random(RANDOM_SEED).randbytes(size_bytes * 57 // 78)
    text = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    head = header(message_id, "attachment", "MIME-Version: 1.0\r\n"
                  'Content-Type: multipart/mixed; boundary="edge"\r\n')
    return (head + b"--edge\r\nContent-Type: text/plain\r\n\r\nsee the attachment\r\n--edge\r\n"
            b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + text
            + b"--edge--\r\n")


def difficult():
    """name -> content. Each has its name in its Message-ID."""
    eight_bit = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    every_byte = bytes(b for b in range(1, 256) if b not in (10, 13))
    folded = "X-Folded: one\r\n\ttwo\r\n   three  \r\nX-Empty:\r\nx-odd-Case:no space after the colon\r\n"
    bodies = {
        "8bit": (eight_bit, "Grüße aus Köln, 10 €, 日本語\r\n".encode()),
        "latin1": (eight_bit.replace("utf-8", "iso-8859-1"), "Grüße\r\n".encode("latin-1")),
        "every-byte": (eight_bit, every_byte + b"\r\n"),
        "long-lines": ("", b"\r\n".join([b"x" * 998, b"y" * 997 + b".", b"." + b"z" * 997]) + b"\r\n"),
        "longer-lines": ("", b"a" * 4000 + b"\r\n" + b"b" * 20000 + b"\r\n"),
        "dots": ("", b".\r\n..\r\n...\r\n.leading\r\n..two\r\nend.\r\n.\r\n"),
        "dot-first": ("", b".first line of the body\r\n"),
        "blank-ends": ("", b"\r\n\r\ntext\r\n\r\n\r\n\r\n"),
        "spaces": ("", b"trailing spaces   \r\n\ttab\t\r\n \r\n  \r\n"),
        "no-body": ("", b""),
        "from-lines": ("", b"From the start of a line\r\n>From quoted\r\n"),
        "folded-header": (folded, b"folded\r\n"),
        "long-header": ("X-Long: " + "w" * 900 + "\r\n", b"long header\r\n"),
        "smuggle-look": ("", b"MAIL FROM:<x@x.test>\r\nRCPT TO:<y@y.test>\r\nDATA\r\n..\r\nQUIT\r\n"),
    }
    result = {name: header(f"{name}@sender.test", name, more) + body for name, (more, body) in bodies.items()}
    result["3-megabytes"] = attachment("3-megabytes@sender.test", 3_000_000)
    return result
