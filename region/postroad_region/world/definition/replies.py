"""What a provider answers for each reason, unless its own file entry says otherwise.

`{source}`, `{recipient}`, `{domain}` and `{host}` are filled in. The reasons are also what the ledger calls the
refusals.
"""

REPLIES = {
    "relaying": "550 5.7.1 Relaying denied: this host takes mail for {domain}",
    "unknown": "550 5.1.1 <{recipient}> User unknown",
    "full": "452 4.2.2 <{recipient}> Mailbox full",
    "disabled": "550 5.2.1 <{recipient}> Mailbox disabled",
    "greylisted": "451 4.7.1 Greylisted, please try again in a few minutes",
    "rate-limited": "421 4.7.0 Too many messages from {source}, try again later",
    "connections": "421 4.7.0 Too many connections from {source}, try again later",
    "messages": "421 4.7.0 Too many messages in this connection, open another one",
    "recipients": "452 4.5.3 Too many recipients",
    "throttled": "421 4.7.0 Mail from {source} is deferred for now because of its reputation or volume",
    "blocked": "550 5.7.1 Mail from {source} is refused because of its reputation",
    "blocklisted": "550 5.7.1 Mail from {source} is refused: the address is on a blocklist",
    "deferred": "451 4.3.2 Temporary fault, try again later",
    "spf": "550 5.7.23 The SPF record of the sender's domain doesn't permit {source}",
    "dmarc": "550 5.7.26 The message fails the DMARC policy of its From domain",
    "dmarc-temporary": "451 4.7.24 The DMARC policy of the From domain can't be evaluated now",
    "unauthenticated": "550 5.7.26 The message passes neither SPF nor DKIM",
    "reverse-name": "550 5.7.25 {source} has no reverse name that leads back to it",
    "tls-required": "530 5.7.0 Must issue a STARTTLS command first",
    "outage": "421 4.3.2 {host} Service not available",
    "storage": "452 4.3.1 Insufficient system storage",
}
