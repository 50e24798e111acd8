"""Hand mail in on this host, `submit.py CERTIFICATE PASSWORD`; a line for each thing that was tried."""

import smtplib
import ssl
import sys

CERTIFICATE, PASSWORD = sys.argv[1:]
MESSAGE = "From: news@postroad.test\nSubject: molecule\n\nmolecule\n"


def trust() -> ssl.SSLContext:
    """The certificate's authority; the name isn't the loopback's."""
    context = ssl.create_default_context(cadata=CERTIFICATE)
    context.check_hostname = False
    return context


def submit(client: smtplib.SMTP, port: int) -> None:
    """Be shown the certificate, be refused without a password and with a wrong one, and taken with the right one."""
    shown = ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(binary_form=True))
    print(port, "shows the certificate", CERTIFICATE.startswith(shown.strip()))
    client.ehlo()
    try:
        client.login("news", "wrong")
    except smtplib.SMTPAuthenticationError as refused:
        print(port, "wrong", refused.smtp_code)
    try:
        client.sendmail("news@postroad.test", ["somebody@gmail.test"], MESSAGE)
    except smtplib.SMTPRecipientsRefused as refused:
        print(port, "nobody", *[code for code, _ in refused.recipients.values()])
    client.login("news", PASSWORD)
    client.sendmail("news@postroad.test", ["somebody@gmail.test"], MESSAGE)
    print(port, "taken")


with smtplib.SMTP("127.0.0.1", 587) as client:
    client.ehlo()
    print(587, "auth in the clear", client.has_extn("auth"))
    client.starttls(context=trust())
    submit(client, 587)
with smtplib.SMTP_SSL("127.0.0.1", 465, context=trust()) as client:
    submit(client, 465)
