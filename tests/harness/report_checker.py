"""Reads delivery status notifications strictly, byte by byte, independently of the C++ that wrote them.

    faults(message)            -> what is wrong with a report of ours, each with its RFC; empty: nothing
    read(message)              -> Report, of any product's; raises Unreadable when it is none
    python_faults(message)     -> what Python's own email package does not understand in it

Strict where an RFC leaves a choice to the writer: what Postern writes shall be read by the least able reader."""

import base64
import dataclasses
import datetime
import email
import email.header
import email.policy
import quopri
import re

LINE_BYTES_MAX = 998  # RFC 5322 section 2.1.1

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
DOT_ATOM = rf"{ATOM}(?:\.{ATOM})*"
U_ATOM = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x7f])+"
QUOTED = r'"(?:[^"\\\r\n]|\\[\x20-\x7e])*"'
LITERAL = r"\[[\x21-\x5a\x5e-\x7e]+\]"
LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
DOMAIN = rf"{LABEL}(?:\.{LABEL})*"
U_LABEL = r"(?:[A-Za-z0-9_-]|[^\x00-\x7f])+"
ADDRESS = re.compile(rf"(?:{DOT_ATOM}|{QUOTED})@(?:{DOMAIN}|{LITERAL})\Z")
U_ADDRESS = re.compile(rf"(?:{U_ATOM}(?:\.{U_ATOM})*|{QUOTED})@(?:{U_LABEL}(?:\.{U_LABEL})*|{LITERAL})\Z")
MESSAGE_ID = re.compile(rf"<{DOT_ATOM}@(?:{DOT_ATOM}|{LITERAL})>\Z")
TOKEN = r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+"
FIELD = re.compile(rb"([!-9;-~]+):(.*)\Z", re.DOTALL)
DAYS, MONTHS = "Mon Tue Wed Thu Fri Sat Sun".split(), "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DATE = re.compile(rf"({'|'.join(DAYS)}), (\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}}) "
                  r"(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z")
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]\Z")  # RFC 2046 section 5.1.1
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z")
ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([QqBb])\?([^?\s]*)\?=")
# RFC 6533 section 3: which code points the escape may have, and in how many digits.
ESCAPED = re.compile(r"\\x\{(?:[01][0-9A-F]|20|2B|3D|7F|5C|[89A-F][0-9A-F]|[1-9A-F][0-9A-F]{2}|[1-9A-CEF][0-9A-F]{3}"
                     r"|D[0-7][0-9A-F]{2}|[1-9A-F][0-9A-F]{4}|10[0-9A-F]{4})\}")

# Field -> how often it may stand in a report's own header.
REQUIRED = ("date", "from", "to", "subject", "message-id", "auto-submitted", "mime-version", "content-type")
ONCE = REQUIRED + ("content-transfer-encoding", "in-reply-to", "references", "return-path", "sender", "reply-to", "cc",
                   "content-description")
MESSAGE_FIELDS = ("original-envelope-id", "reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date")
RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code",
                    "last-attempt-date", "final-log-id", "will-retry-until")
CLASSES = {"failed": "45", "delayed": "4", "delivered": "2", "relayed": "2", "expanded": "2"}
ADDRESSES_IN_UTF8 = ("NonASCIILocalPartDefect", "UndecodableBytesDefect")
STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")


class Unreadable(ValueError):
    """It is no delivery status notification, or one that cannot be read."""


@dataclasses.dataclass
class Entity:
    header: list  # of (name in lower case, value on one line as text, the field's bytes)
    body: bytes

    def all(self, name):
        return [value for known, value, _ in self.header if known == name]

    def first(self, name, otherwise=""):
        return next(iter(self.all(name)), otherwise)


@dataclasses.dataclass
class Report:
    header: Entity
    human: str
    message: list  # of (name in lower case, value)
    recipients: list  # of such lists
    returned_type: str
    returned: bytes

    def of_message(self, name):
        return dict(self.message).get(name.lower(), "")

    def of_recipient(self, index, name):
        return dict(self.recipients[index]).get(name.lower(), "")


def text_of(octets):
    return octets.decode("utf-8", errors="surrogateescape")


def split_fields(octets, say=None):
    """(name, value, bytes) of each field; `say` hears of what is no field."""
    fields = []
    for line in octets.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            if say and not line.strip():
                say("RFC 5322 section 3.2.2", "a folded line has nothing but space")
            fields[-1][2].append(line)
            continue
        found = FIELD.match(line)
        if not found:
            if line and say:
                say("RFC 5322 section 2.2", f"no header field: {line[:60]!r}")
            continue
        fields.append((text_of(found[1]).lower(), None, [line]))
    unfolded = []
    for name, _, lines in fields:
        value = text_of(b"".join(lines))[len(name) + 1:]
        unfolded.append((name, value.strip(" \t"), b"\r\n".join(lines)))
    return unfolded


def parse_entity(octets, say=None):
    if octets.startswith(b"\r\n"):
        return Entity([], octets[2:])
    head, empty, body = octets.partition(b"\r\n\r\n")
    if not empty and say:
        say("RFC 2046 section 5.1", "no empty line between header and body")
    return Entity(split_fields(head, say), body)


def parse_content_type(value, say=None):
    """("multipart/report", {"boundary": ...}), RFC 2045 section 5.1."""
    found = re.match(rf"({TOKEN})/({TOKEN})", value)
    if not found:
        if say:
            say("RFC 2045 section 5.1", f"no content type: {value!r}")
        return "", {}
    rest, parameters = value[found.end():], {}
    while rest:
        parameter = re.match(rf"\s*;\s*({TOKEN})=({TOKEN}|{QUOTED})", rest)
        if not parameter:
            if say:
                say("RFC 2045 section 5.1", f"no parameter of a content type: {rest!r}")
            break
        name, text = parameter[1].lower(), parameter[2]
        if name in parameters and say:
            say("RFC 2045 section 5.1", f"parameter {name} is there twice")
        parameters[name] = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
        rest = rest[parameter.end():]
    return f"{found[1]}/{found[2]}".lower(), parameters


def split_parts(body, boundary, say=None):
    """The bytes of each part, or None when they do not end. RFC 2046 section 5.1.1."""
    delimiter, parts, lines, closed = b"--" + boundary.encode(), [], None, False
    for line in body.split(b"\r\n"):
        if not closed and line.startswith(delimiter):
            rest = line[len(delimiter):]
            if say and rest.strip() not in (b"", b"--"):
                say("RFC 2046 section 5.1.1", f"the boundary stands within a part: {line[:80]!r}")
            elif say and rest != rest.strip():
                say("RFC 2046 section 5.1.1", "a delimiter has space behind it, which some readers keep")
            if lines is not None:
                parts.append(b"\r\n".join(lines))
            lines, closed = [], rest.startswith(b"--")
            if closed:
                tail = body.split(delimiter + b"--", 1)[1]
                if say and tail != b"\r\n":
                    say("RFC 2046 section 5.1.1", f"something stands behind the last delimiter: {tail[:60]!r}")
            continue
        if lines is not None and not closed:
            lines.append(line)
    return parts if closed else None


def decoded(entity, say=None):
    """The bytes that a part's transfer encoding stands for."""
    encoding = entity.first("content-transfer-encoding", "7bit").lower()
    if encoding == "quoted-printable":
        if say:
            check_quoted_printable(entity.body, say)
        return quopri.decodestring(entity.body)
    if encoding == "base64":
        try:
            return base64.b64decode(entity.body.replace(b"\r\n", b""), validate=True)
        except ValueError:
            if say:
                say("RFC 2045 section 6.8", "this is not base64")
            return b""
    if encoding not in ("7bit", "8bit", "binary") and say:
        say("RFC 2045 section 6.1", f"unknown transfer encoding {encoding!r}")
    return entity.body


def check_quoted_printable(octets, say):
    rule = "RFC 2045 section 6.7"
    for line in octets.split(b"\r\n"):
        if len(line) > 76:
            say(rule, f"a line of quoted-printable has {len(line)} bytes")
        if line.endswith((b" ", b"\t")):
            say(rule, f"a line of quoted-printable ends in space: {line[-40:]!r}")
        if re.search(rb"=(?![0-9A-F]{2}|\Z)", line) or re.search(rb"[^\x20-\x7e\t]", line):
            say(rule, f"this is not quoted-printable: {line[:76]!r}")


def parse_date(value):
    """RFC 5322 section 3.3, without what is obsolete."""
    found = DATE.match(value)
    if not found:
        return None
    day_name, day, month, year, hour, minute, second, sign, zone_hour, zone_minute = found.groups()
    offset = datetime.timedelta(hours=int(zone_hour), minutes=int(zone_minute))
    try:
        moment = datetime.datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute),
                                   min(int(second), 59), tzinfo=datetime.timezone(offset if sign == "+" else -offset))
    except ValueError:
        return None
    return moment if DAYS[moment.weekday()] == day_name and int(second) <= 60 else None


def blocks_of(octets, say=None):
    """RFC 3464 section 2.1: groups of fields, apart by one empty line."""
    if say and (octets.startswith(b"\r\n") or b"\r\n\r\n\r\n" in octets or octets.endswith(b"\r\n\r\n")):
        say("RFC 3464 section 2.1", "an empty line where no group of fields ends")
    return [[(name, value) for name, value, _ in split_fields(block, say)]
            for block in re.split(rb"(?:\r\n)(?:\r\n)+", octets.strip(b"\r\n")) if block]


def read(message):
    """Any product's report, by what its reader needs."""
    message = re.sub(rb"\r?\n", b"\r\n", message)
    whole = parse_entity(message)
    kind, parameters = parse_content_type(whole.first("content-type"))
    if kind != "multipart/report" or parameters.get("report-type", "").lower() != "delivery-status":
        raise Unreadable(f"is {kind}, of report-type {parameters.get('report-type')!r}")
    parts = split_parts(whole.body, parameters.get("boundary", ""))
    if not parts or len(parts) not in (2, 3):
        raise Unreadable(f"has {len(parts or [])} parts")
    entities = [parse_entity(part) for part in parts]
    types = [parse_content_type(entity.first("content-type", "text/plain"))[0] for entity in entities]
    if types[1] not in STATUS_TYPES:
        raise Unreadable(f"its second part is {types[1]}")
    blocks = blocks_of(decoded(entities[1]))
    if len(blocks) < 2:
        raise Unreadable("reports no recipient")
    returned = entities[2] if len(entities) == 3 else None
    return Report(whole, decoded(entities[0]).decode("utf-8", errors="replace"), blocks[0], blocks[1:],
                  types[2] if returned else "", decoded(returned) if returned else b"")


def faults(message):
    """What is wrong with a report that Postern wrote: "RFC 3464 section 2.3.3: ..."."""
    return Checker(message).faults


class Checker:
    def __init__(self, message):
        self.message, self.faults = message, []
        self.check_lines()
        whole = parse_entity(message, self.say)
        self.international = not self.is_ascii(b"".join(field for name, _, field in whole.header if name == "to"))
        self.sent = None
        self.check_header(whole)
        self.check_structure(whole)

    def say(self, rule, what):
        self.faults.append(f"{rule}: {what}")

    def must(self, condition, rule, what):
        if not condition:
            self.say(rule, what)
        return bool(condition)

    @staticmethod
    def is_ascii(octets):
        return all(octet < 0x80 for octet in octets)

    # -- lines and header

    def check_lines(self):
        message = self.message
        self.must(message.endswith(b"\r\n"), "RFC 5322 section 2.3", "the last line does not end in CRLF")
        self.must(not re.search(rb"\r(?!\n)|(?<!\r)\n", message), "RFC 5322 section 2.3", "a CR or LF stands alone")
        self.must(b"\0" not in message, "RFC 5322 section 2.3", "it holds a NUL")
        longest = max(map(len, message.split(b"\r\n")))
        self.must(longest <= LINE_BYTES_MAX, "RFC 5322 section 2.1.1", f"a line has {longest} bytes")

    def check_header(self, whole):
        head = b"".join(field for _, _, field in whole.header)
        if not self.international:
            self.must(self.is_ascii(head), "RFC 5322 section 2.2", "the header is not ASCII")
        else:
            lost = re.search("[\ud800-\udfff]", text_of(head))
            self.must(not lost, "RFC 6532 section 3.2", "the header is not UTF-8")
        for name in ONCE:
            count = len(whole.all(name))
            self.must(count == 1 or (count == 0 and name not in REQUIRED), "RFC 5322 section 3.6",
                      f"{name} is there {count} times")
        self.sent = parse_date(whole.first("date"))
        self.must(self.sent, "RFC 5322 section 3.3", f"Date: {whole.first('date')!r}")
        self.must(MESSAGE_ID.match(whole.first("message-id")), "RFC 5322 section 3.6.4",
                  f"Message-ID: {whole.first('message-id')!r}")
        for name in ("in-reply-to", "references"):
            for value in whole.all(name):
                self.must(value and all(MESSAGE_ID.match(word) for word in value.split()), "RFC 5322 section 3.6.4",
                          f"{name}: {value!r}")
        self.must(re.match(rf"(?:{ATOM}(?: {ATOM})* <{DOT_ATOM}@{DOMAIN}>|{DOT_ATOM}@{DOMAIN})\Z", whole.first("from")),
                  "RFC 5322 section 3.4", f"From: {whole.first('from')!r}")
        to = whole.first("to").removeprefix("<").removesuffix(">")
        self.must((U_ADDRESS if self.international else ADDRESS).match(to), "RFC 5322 section 3.4",
                  f"To: {whole.first('to')!r}")
        self.must(whole.first("auto-submitted") == "auto-replied", "RFC 3834 section 5",
                  f"Auto-Submitted: {whole.first('auto-submitted')!r}")
        self.must(whole.first("return-path", "<>") == "<>", "RFC 3464 section 2",
                  f"Return-Path: {whole.first('return-path')!r}")
        self.must(whole.first("mime-version") == "1.0", "RFC 2045 section 4",
                  f"MIME-Version: {whole.first('mime-version')!r}")
        for name in ("disposition-notification-to", "return-receipt-to"):
            self.must(not whole.all(name), "RFC 8098 section 2.1", f"a report asks for one: {name}")
        self.check_encoded_words(whole)

    def check_encoded_words(self, whole):
        rule = "RFC 2047 section 2"
        for name, value, field in whole.header:
            if "=?" not in value or name in ("content-type", "message-id", "in-reply-to", "references"):
                continue
            words = [word for word in value.split() if "=?" in word]
            for word in words:
                found = ENCODED_WORD.fullmatch(word)
                if not self.must(found and len(word) <= 75, rule, f"{name}: {word!r} is no encoded word"):
                    continue
                try:
                    octets, charset = email.header.decode_header(word)[0]
                    octets.decode(charset)
                except (ValueError, LookupError, email.errors.HeaderParseError):
                    self.say("RFC 2047 section 5", f"{name}: {word!r} holds no whole characters of its charset")
            self.must(all(len(line) <= 76 for line in field.split(b"\r\n")), rule, f"{name} has a line above 76 bytes")

    # -- parts

    def check_structure(self, whole):
        kind, parameters = parse_content_type(whole.first("content-type"), self.say)
        self.must(kind == "multipart/report", "RFC 6522 section 3", f"Content-Type: {kind}")
        self.must(parameters.get("report-type", "").lower() == "delivery-status", "RFC 3464 section 2",
                  f"report-type: {parameters.get('report-type')!r}")
        boundary = parameters.get("boundary", "")
        self.must(BOUNDARY.match(boundary), "RFC 2046 section 5.1.1", f"boundary: {boundary!r}")
        self.must(not set(parameters) - {"report-type", "boundary"}, "RFC 6522 section 3",
                  f"unknown parameters of multipart/report: {sorted(parameters)}")
        encoding = whole.first("content-transfer-encoding", "7bit").lower()
        self.must(encoding in ("7bit", "8bit"), "RFC 2045 section 6.4", f"a multipart in {encoding!r}")
        self.must(encoding == "8bit" or self.is_ascii(whole.body), "RFC 2045 section 6.4",
                  "a body with bytes over 127 is declared 7bit")
        preamble = whole.body.split(b"--" + boundary.encode("utf-8", "replace"), 1)[0]
        self.must(self.is_ascii(preamble), "RFC 2046 section 5.1.1", "what stands before the parts is not ASCII")
        parts = split_parts(whole.body, boundary, self.say)
        if not self.must(parts is not None, "RFC 2046 section 5.1.1", "the last delimiter is missing"):
            return
        if not self.must(len(parts) in (2, 3), "RFC 6522 section 3", f"it has {len(parts)} parts"):
            return
        entities = [parse_entity(part, self.say) for part in parts]
        for entity in entities:
            self.check_part(entity, encoding)
        self.check_human(entities[0])
        self.check_status(entities[1])
        if len(entities) == 3:
            self.check_returned(entities[2])

    def check_part(self, entity, outer):
        for name in ("content-type", "content-transfer-encoding", "content-description", "content-language"):
            self.must(len(entity.all(name)) <= 1, "RFC 2045 section 3", f"a part has {name} twice")
        for name, _, field in entity.header:
            self.must(name.startswith("content-"), "RFC 2046 section 5.1", f"a part has a field {name}")
            self.must(self.is_ascii(field), "RFC 5322 section 2.2", f"a part's {name} is not ASCII")
        encoding = entity.first("content-transfer-encoding", "7bit").lower()
        if encoding != "8bit":
            self.must(self.is_ascii(entity.body), "RFC 2045 section 2.7", f"a part in {encoding} has bytes over 127")
        else:
            self.must(outer == "8bit", "RFC 2045 section 6.4", "a part is 8bit, the whole is not")

    def check_human(self, entity):
        kind, parameters = parse_content_type(entity.first("content-type", "text/plain"), self.say)
        self.must(kind == "text/plain", "RFC 6522 section 3", f"the part for people is {kind}")
        octets = decoded(entity, self.say)
        charset = parameters.get("charset", "us-ascii")
        try:
            text = octets.decode(charset)
        except (LookupError, ValueError):
            self.say("RFC 2046 section 4.1.2", f"the part for people is not in {charset}")
            return
        self.must(text.strip(), "RFC 6522 section 3", "the part for people is empty")
        strange = [c for c in text if not c.isprintable() and c not in "\r\n"]
        self.must(not strange, "RFC 2046 section 4.1.2", f"the part for people has characters such as {strange[:3]}")
        for value in entity.all("content-language"):
            self.must(all(LANGUAGE.match(tag.strip()) for tag in value.split(",")), "RFC 3282 section 2",
                      f"Content-Language: {value!r}")

    def check_returned(self, entity):
        kind, _ = parse_content_type(entity.first("content-type", "text/plain"), self.say)
        rule = "RFC 6522 section 3"
        if not self.must(kind in RETURNED_TYPES, rule, f"the returned part is {kind}"):
            return
        encoding = entity.first("content-transfer-encoding", "7bit").lower()
        if kind == "message/rfc822":
            self.must(encoding in ("7bit", "8bit"), "RFC 2046 section 5.2.1", f"message/rfc822 in {encoding}")
        octets = decoded(entity, self.say)
        if kind.endswith("headers"):
            alone = b"\r\n\r\n" not in octets.rstrip(b"\r\n") and not octets.startswith(b"\r\n")
            self.must(alone, "RFC 6522 section 4", f"{kind} has more than a header")

    # -- message/delivery-status

    def check_status(self, entity):
        kind, _ = parse_content_type(entity.first("content-type"), self.say)
        if not self.must(kind in STATUS_TYPES, "RFC 3464 section 2.1", f"the part for programs is {kind or 'nothing'}"):
            return
        encoding = entity.first("content-transfer-encoding", "7bit").lower()
        if kind == "message/delivery-status":
            self.must(encoding == "7bit", "RFC 3464 section 2.1", f"message/delivery-status in {encoding}")
        else:
            self.must(self.international, "RFC 6533 section 4", "message/global-delivery-status to an ASCII address")
            self.must(encoding == "8bit", "RFC 6533 section 4", f"{kind} in {encoding}")
        blocks = blocks_of(entity.body, self.say)
        if not self.must(len(blocks) >= 2, "RFC 3464 section 2.1", "no recipient is reported"):
            return
        self.check_block(blocks[0], MESSAGE_FIELDS, ("reporting-mta",), "RFC 3464 section 2.2")
        fields = dict(blocks[0])
        for name in ("reporting-mta", "dsn-gateway", "received-from-mta"):
            if name in fields:
                self.check_mta(name, fields[name])
        if "original-envelope-id" in fields:
            self.check_undone_xtext("original-envelope-id", fields["original-envelope-id"], "RFC 3464 section 2.2.1")
        arrival = self.date_in(fields, "arrival-date", "RFC 3464 section 2.2.5")
        for block in blocks[1:]:
            self.check_recipient(block, kind, arrival)

    def check_block(self, block, known, required, rule):
        names = [name for name, _ in block]
        for name in required:
            self.must(name in names, rule, f"{name} is missing")
        for name in sorted(set(names)):
            self.must(name in known or name.startswith("x-"), rule, f"{name} does not belong there")
            self.must(names.count(name) == 1, rule, f"{name} is there {names.count(name)} times")
        for name, value in block:
            self.must(value, rule, f"{name} is empty")

    def check_mta(self, name, value):
        """RFC 3464 section 2.1.2: type ";" name; of type dns a domain or an address literal, perhaps with a comment."""
        rule = "RFC 3464 section 2.1.2"
        found = re.match(rf"({ATOM}) ?; ?(.+)\Z", value)
        if not self.must(found, rule, f"{name}: {value!r}"):
            return
        if found[1].lower() == "dns":
            self.must(re.match(rf"(?:{DOMAIN}|{LITERAL})(?: \([^()\\]*\))?\Z", found[2]), rule, f"{name}: {value!r}")
        else:
            known = found[1].lower() == "x400" or found[1].lower().startswith("x-")
            self.must(known, rule, f"{name}: type {found[1]!r}")

    def date_in(self, fields, name, rule):
        if name not in fields:
            return None
        moment = parse_date(fields[name])
        self.must(moment, rule, f"{name}: {fields[name]!r}")
        return moment

    def check_recipient(self, block, kind, arrival):
        self.check_block(block, RECIPIENT_FIELDS, ("final-recipient", "action", "status"), "RFC 3464 section 2.3")
        fields = dict(block)
        for name, rule in (("original-recipient", "RFC 3464 section 2.3.1"),
                           ("final-recipient", "RFC 3464 section 2.3.2")):
            if name in fields:
                self.check_address(name, fields[name], kind, rule)
        action = fields.get("action", "").lower()
        if not self.must(action in CLASSES, "RFC 3464 section 2.3.3", f"Action: {action!r}"):
            return
        status = fields.get("status", "")
        if self.must(re.match(r"[245]\.(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2})\Z", status), "RFC 3463 section 2",
                     f"Status: {status!r}"):
            self.must(status[0] in CLASSES[action], "RFC 3464 section 2.3.4", f"Status {status} of what was {action}")
        if "remote-mta" in fields:
            self.check_mta("remote-mta", fields["remote-mta"])
        if "diagnostic-code" in fields:
            self.check_diagnostic(fields["diagnostic-code"], action)
        last = self.date_in(fields, "last-attempt-date", "RFC 3464 section 2.3.7")
        until = self.date_in(fields, "will-retry-until", "RFC 3464 section 2.3.9")
        self.must("will-retry-until" not in fields or action == "delayed", "RFC 3464 section 2.3.9",
                  f"Will-Retry-Until of what was {action}")
        order = [moment for moment in (arrival, last, self.sent, until) if moment]
        self.must(order == sorted(order), "RFC 3464 section 2.3.7",
                  f"times out of order: {[moment.isoformat() for moment in order]}")

    def check_diagnostic(self, value, action):
        rule = "RFC 3464 section 2.3.6"
        found = re.match(rf"({ATOM}) ?; ?(.*)\Z", value)
        if not self.must(found and found[2], rule, f"Diagnostic-Code: {value!r}"):
            return
        if found[1].lower() != "smtp":
            self.must(found[1].lower().startswith("x-"), rule, f"Diagnostic-Code: type {found[1]!r}")
            return
        reply = re.match(r"([2-5])[0-5]\d(?:[ -]|\Z)", found[2])
        if self.must(reply, rule, f"Diagnostic-Code: {found[2][:40]!r} is no SMTP reply"):
            self.must((reply[1] == "2") == (CLASSES[action] == "2"), rule,
                      f"the reply {found[2][:20]!r} of what was {action}")

    def check_address(self, name, value, kind, rule):
        found = re.match(r"([A-Za-z0-9-]+) ?; ?(.*)\Z", value)
        if not self.must(found and found[2], rule, f"{name}: {value!r}"):
            return
        type_, address = found[1].lower(), found[2]
        if type_ == "rfc822":
            if name == "final-recipient":
                self.must(ADDRESS.match(address), rule, f"{name}: {address!r} is no address")
            self.must(address.isascii(), "RFC 6533 section 3", f"{name}: rfc822 that is not ASCII")
            self.check_undone_xtext(name, address, rule)
        elif type_ == "utf-8":
            self.check_utf8_address(name, address, kind)
        elif name == "final-recipient":
            self.say(rule, f"{name}: type {type_!r}")

    def check_utf8_address(self, name, address, kind):
        rule = "RFC 6533 section 3"
        if kind == "message/delivery-status":
            self.must(address.isascii(), rule, f"{name}: {address!r} must have its escaped form in {kind}")
        rest = ESCAPED.sub("", address)
        self.must(not re.search(r"[\\+=\s]", rest), rule, f"{name}: {address!r} has characters that must be escaped")
        plain = ESCAPED.sub(lambda m: chr(int(m[0][3:-1], 16)), address)
        self.must(U_ADDRESS.match(plain), rule, f"{name}: {plain!r} is no address")

    def check_undone_xtext(self, name, value, rule):
        """RFC 3461 section 4: "+2B" is how xtext writes "+"; here its coding has been undone."""
        self.must(not re.search(r"\+(?:2B|3D)", value), rule, f"{name}: {value!r} looks like xtext")


def python_faults(message):
    """What Python's email package finds in it, or does not."""
    told = []
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    for part in parsed.walk():
        told += [f"{part.get_content_type()}: {defect!r}" for defect in part.defects]
        told += [f"{name}: {defect!r}" for name, value in part.items() for defect in getattr(value, "defects", ())
                 # It reads addresses of RFC 6531, and calls them defects all the same.
                 if not (name == "To" and type(defect).__name__ in ADDRESSES_IN_UTF8)]
    if parsed.get_content_type() != "multipart/report":
        return told + [f"type {parsed.get_content_type()}"]
    parts = list(parsed.iter_parts())
    if len(parts) not in (2, 3):
        return told + [f"{len(parts)} parts"]
    if not parts[0].get_content().strip():
        told.append("no text for people")
    report = read(message)
    kind = parts[1].get_content_type()
    if kind == "message/delivery-status":  # the package knows no others of its kind
        blocks = [[(name.lower(), " ".join(str(value).split())) for name, value in block.items()]
                  for block in parts[1].get_payload()]
        ours = [[(name, " ".join(value.split())) for name, value in block]
                for block in (report.message, *report.recipients)]
        if [b for b in blocks if b] != ours:
            told.append(f"other fields: {blocks} instead of {ours}")
    elif kind != "message/global-delivery-status":
        told.append(f"second part {kind}")
    if len(parts) == 3 and parts[2].get_content_type() != report.returned_type:
        told.append(f"third part {parts[2].get_content_type()}")
    return told
