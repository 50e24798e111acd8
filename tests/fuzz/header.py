"""What anybody may put in the header and body of a message.

Always: of a message nothing but its campaign fields is changed; what is found in a header is what other code finds in
it; domains of From are those that Python's own parser sees; a DKIM signature holds for dkimpy's canonical form, and
doesn't break the header it is put into.
"""

import hashlib
from email._parseaddr import AddressList

from dkim.canonicalization import Relaxed
from postroad.content.authors import AuthorsError, author_domains
from postroad.content.dkim import canonical_body, canonical_field, split_fields
from postroad.content.headers import (
    CampaignError,
    campaign_of,
    header_end,
    inspect,
    plain_header,
    without_fields,
)
from postroad.smtp.content import dot_stuff, dot_unstuff
from wires import wire_of


def check(data: bytes) -> None:
    wire = wire_of(data)
    assert dot_unstuff(dot_stuff(dot_unstuff(wire))) == dot_unstuff(wire)
    plain = plain_header(wire)
    assert dot_unstuff(plain) == dot_unstuff(wire)
    assert plain_header(plain) == plain
    message = dot_unstuff(plain)
    _check_facts(plain, message)
    _check_canonical(message)


def _check_facts(plain: bytes, message: bytes) -> None:
    facts = inspect(plain)
    if not facts.begins_with_field:
        assert facts.authors == facts.campaigns == ()
        return
    fields = split_fields(message[: header_end(message)])
    names = [name for name, _ in fields]
    assert facts.hops == names.count(b"received")
    assert facts.has_date == (b"date" in names)
    assert facts.has_message_id == (b"message-id" in names)
    assert list(facts.authors) == [value for name, value in fields if name == b"from"]
    assert len(facts.campaigns) == names.count(b"x-postroad-campaign")
    for author in facts.authors:
        _check_author(author)
    try:
        campaign = campaign_of(plain, facts)
    except CampaignError:
        return
    assert bool(campaign) == bool(facts.campaigns)
    assert campaign.isprintable()
    left = without_fields(plain, facts.campaigns)
    assert len(left) == len(plain) - sum(item.stop - item.start for item in facts.campaigns)
    others = [field for field in fields if field[0] != b"x-postroad-campaign"]
    assert split_fields(dot_unstuff(left[: header_end(left)])) == others or not others
    # Whoever reads it next sees the same body behind the same header.
    assert left[header_end(left) :] == plain[header_end(plain) :] or not others


def _check_author(value: bytes) -> None:
    try:
        domains = author_domains(value)
    except AuthorsError as error:
        str(error).encode("ascii")  # it goes into a reply
        return
    assert domains
    text = value.replace(b"\r\n", b"").decode("latin-1")
    # What getaddresses() was before releases of Python began to hide from it what they find ambiguous.
    seen = {address.rpartition("@")[2].encode("latin-1") for _, address in AddressList(text).addresslist}
    # It takes brackets in a name for those of a domain literal, and sees more addresses then.
    alike = seen >= set(domains) if set("[]") & set(text) else seen == set(domains)
    assert alike, f"{text!r}: {domains}, Python's parser: {seen}"


def _check_canonical(message: bytes) -> None:
    end = header_end(message)
    body = message[end:].removeprefix(b"\r\n")
    assert canonical_body(body) == Relaxed.canonicalize_body(body)
    assert canonical_body(canonical_body(body)) == canonical_body(body)
    # dkimpy takes these for white space; RFC 6376 2.8 has only blanks and tabs.
    fields = [(name, value) for name, value in split_fields(message[:end]) if not set(name + value) & set(b"\v\f")]
    for name, value in fields:
        ((their_name, their_value),) = Relaxed.canonicalize_headers([(name, value + b"\r\n")])
        ours = canonical_field(name, value) + b"\r\n"
        assert hashlib.sha256(ours).digest() == hashlib.sha256(their_name + b":" + their_value).digest(), (name, value)
