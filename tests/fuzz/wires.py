"""Any octets as content that the SMTP server would take: CRLF lines, none of which is a dot alone."""


def wire_of(data: bytes) -> bytes:
    lines = data.replace(b"\r", b"").split(b"\n")
    wire = b"".join((b".." if line == b"." else line) + b"\r\n" for line in lines)
    return b"" if wire == b"\r\n" else wire
