"""The whole way, with real processes: smtplib, the MTA, the proxy, and mail hosts on loopback."""

import email
import json
import os
import smtplib
import subprocess
from collections.abc import Callable
from pathlib import Path

from daemons import BIN, MtaDaemon, ProxyDaemon, ScriptedHost, Sink, free_port, wait_until

SENDER = "a@x.test"
FAST = '[retry]\nfirst_delay = "200ms"\nmax_delay = "400ms"\nmax_age = "60s"\n'


def send(mta: MtaDaemon, *recipients: str, sender: str = SENDER, count: int = 1, body: str = ".dot\nbody\n") -> None:
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(count):
            client.sendmail(sender, recipients or ["b@y.test"], f"From: {SENDER}\nX-Id: {number}\n\n{body}")


def test_a_message_arrives_unchanged_but_for_trace_fields(new_mta: Callable[..., MtaDaemon], sink: Sink) -> None:
    mta = new_mta(smart_host=sink.port)
    send(mta)
    wait_until(lambda: sink.envelopes)
    (envelope,) = sink.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["b@y.test"])
    content = envelope.content
    assert isinstance(content, bytes)
    message = email.message_from_bytes(content)
    assert message.keys() == ["Received", "Message-ID", "Date", "From", "X-Id"]
    assert content.endswith(b"From: a@x.test\r\nX-Id: 0\r\n\r\n.dot\r\nbody\r\n")
    wait_until(lambda: mta.queue()["messages"] == 0)
    (reception,) = mta.events("reception")
    wait_until(lambda: mta.events("delivery"))
    (delivery,) = mta.events("delivery")
    assert reception["queue_id"] == delivery["queue_id"]
    assert delivery["reply"] == "250 2.0.0 taken"


def test_connections_are_used_again(new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]) -> None:
    host = new_host()
    mta = new_mta(smart_host=host.port)
    send(mta, count=20)
    wait_until(lambda: len(host.messages) == 20)
    assert host.connections < 20


def test_a_refused_recipient_does_not_stop_the_others_and_the_sender_is_told(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt=["250 ok", "550 5.1.1 no such user", "250 ok"])
    mta = new_mta(smart_host=host.port)
    send(mta, "b@y.test", "nobody@y.test", "c@y.test")
    wait_until(lambda: len(host.messages) == 2)
    report = email.message_from_bytes(host.messages[1])
    assert report["To"] == "<a@x.test>"
    assert "Final-Recipient: rfc822; nobody@y.test" in host.messages[1].decode()
    assert "MAIL FROM:<>" in host.commands[-5] + host.commands[-4] + host.commands[-3]
    wait_until(lambda: mta.queue()["messages"] == 0)


def test_a_deferred_message_is_tried_again_until_it_is_taken(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt=["450 4.2.0 greylisted", "450 4.2.0 greylisted", "250 ok"])
    mta = new_mta(smart_host=host.port, more=FAST)
    send(mta)
    wait_until(lambda: mta.queue()["messages"] == 0 and host.messages)
    assert [event["attempts"] for event in mta.events("deferral")] == [1, 2]
    assert len(host.messages) == 1


def test_only_the_deferred_recipient_is_tried_again(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt=["250 ok", "450 4.2.1 busy", "250 ok"])
    mta = new_mta(smart_host=host.port, more=FAST)
    send(mta, "b@y.test", "busy@y.test")
    wait_until(lambda: len(host.messages) == 2)
    recipients = [command for command in host.commands if command.startswith("RCPT")]
    assert recipients == ["RCPT TO:<b@y.test>", "RCPT TO:<busy@y.test>", "RCPT TO:<busy@y.test>"]


def test_a_message_that_nobody_takes_is_bounced_after_max_age(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt=["450 4.2.1 busy"] * 6 + ["250 ok"])
    more = '[retry]\nfirst_delay = "300ms"\nmax_delay = "300ms"\nmax_age = "1s"\n'
    mta = new_mta(smart_host=host.port, more=more)
    send(mta)
    wait_until(lambda: mta.events("bounce"))
    wait_until(lambda: host.messages and mta.queue()["messages"] == 0, seconds=30)


def test_a_notification_that_fails_is_not_bounced(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(mail="550 5.7.1 not you")
    mta = new_mta(smart_host=host.port)
    send(mta)
    wait_until(lambda: mta.queue()["messages"] == 0 and mta.events("double_bounce_discarded"))
    assert len(mta.events("bounce")) == 2


def test_attempts_and_due_times_survive_a_restart(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt=["450 4.2.0 greylisted", "250 ok"])
    mta = new_mta(smart_host=host.port)
    send(mta)
    wait_until(lambda: mta.events("deferral"))
    mta.terminate()
    assert mta.wait() == 0
    mta.start()
    (domain,) = mta.queue()["domains"]
    assert (domain["domain"], domain["last_reply"]) == ("y.test", "450 4.2.0 greylisted")
    assert 1100 < domain["next_attempt_in"] <= 1320
    mta.flush()
    wait_until(lambda: host.messages)


def test_mail_goes_through_the_proxy_and_a_dead_proxy_is_passed_over(
    new_mta: Callable[..., MtaDaemon], new_proxy: Callable[..., ProxyDaemon], sink: Sink
) -> None:
    proxy = new_proxy()
    more = f'[egress]\nproxies = ["127.0.0.1:{free_port()}", "127.0.0.1:{proxy.port}"]\nsource = "127.0.0.9"\n'
    mta = new_mta(smart_host=sink.port, more=more)
    send(mta, count=5)
    wait_until(lambda: sum(sink.ids.values()) == 5)
    assert {peer[0] for peer in sink.peers} == {"127.0.0.9"}
    wait_until(lambda: len(mta.events("delivery")) == 5)
    assert {event["source"] for event in mta.events("delivery")} == {"127.0.0.9"}
    assert proxy.metric('postroad_proxy_accepted_connections_total{protocol="socks5"}') >= 1


def test_without_any_proxy_mail_waits_and_no_attempt_is_counted(new_mta: Callable[..., MtaDaemon], sink: Sink) -> None:
    mta = new_mta(smart_host=sink.port, more=f'[egress]\nproxies = ["127.0.0.1:{free_port()}"]\n')
    send(mta)
    wait_until(lambda: mta.events("proxy_failure"))
    wait_until(lambda: mta.queue()["scheduled"] == 1)
    assert mta.events("deferral") == []
    assert not sink.envelopes


def test_a_proxy_that_cannot_bind_the_source_is_not_the_sites_fault(
    new_mta: Callable[..., MtaDaemon], new_proxy: Callable[..., ProxyDaemon], sink: Sink
) -> None:
    proxy = new_proxy()
    mta = new_mta(smart_host=sink.port, more=f'[egress]\nproxies = ["127.0.0.1:{proxy.port}"]\nsource = "192.0.2.1"\n')
    send(mta)
    wait_until(lambda: mta.events("proxy_failure"))
    assert "BIND" in mta.events("proxy_failure")[0]["reason"]


def sources(*ports: int, **addresses: str) -> str:
    """Settings of sources with their addresses, all on these proxies."""
    proxies = [f"127.0.0.1:{port}" for port in ports]
    return "".join(
        f'[egress.sources.{name}]\naddress = "{address}"\nehlo = "{name}.test"\nproxies = {json.dumps(proxies)}\n'
        for name, address in addresses.items()
    )


def test_mail_leaves_from_each_source_in_turn_under_its_own_name(
    new_mta: Callable[..., MtaDaemon], new_proxy: Callable[..., ProxyDaemon], sink: Sink
) -> None:
    proxy = new_proxy()
    one_each = "[egress]\nmax_messages_per_connection = 1\n"
    mta = new_mta(smart_host=sink.port, more=one_each + sources(proxy.port, first="127.0.0.8", second="127.0.0.9"))
    send(mta, count=6)
    wait_until(lambda: sum(sink.ids.values()) == 6)
    used = {(peer[0], name) for peer, name in zip(sink.peers, sink.names, strict=True)}
    assert used == {("127.0.0.8", "first.test"), ("127.0.0.9", "second.test")}


def test_a_source_that_its_proxy_does_not_have_leaves_the_mail_to_the_others(
    new_mta: Callable[..., MtaDaemon], new_proxy: Callable[..., ProxyDaemon], sink: Sink
) -> None:
    proxy = new_proxy()
    mta = new_mta(smart_host=sink.port, more=sources(proxy.port, moved="192.0.2.1", here="127.0.0.9"))
    send(mta, count=5)
    wait_until(lambda: sum(sink.ids.values()) == 5)
    assert set(sink.names) == {"here.test"}


def test_a_source_has_spare_proxies(
    new_mta: Callable[..., MtaDaemon], new_proxy: Callable[..., ProxyDaemon], sink: Sink
) -> None:
    proxy = new_proxy()
    mta = new_mta(smart_host=sink.port, more=sources(free_port(), proxy.port, only="127.0.0.9"))
    send(mta, count=3)
    wait_until(lambda: sum(sink.ids.values()) == 3)
    assert {peer[0] for peer in sink.peers} == {"127.0.0.9"}


def test_a_dead_site_is_a_deferral(new_mta: Callable[..., MtaDaemon], new_proxy: Callable[..., ProxyDaemon]) -> None:
    proxy = new_proxy()
    mta = new_mta(smart_host=free_port(), more=f'[egress]\nproxies = ["127.0.0.1:{proxy.port}"]\n')
    send(mta)
    wait_until(lambda: mta.events("deferral"))
    assert "connection refused" in mta.events("deferral")[0]["reply"]


def test_operators_see_the_queue_and_flush_it(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host(rcpt=["450 4.2.0 later", "250 ok"])
    mta = new_mta(smart_host=host.port)
    send(mta)
    wait_until(lambda: mta.queue()["scheduled"] == 1)
    environment = os.environ | {"POSTROAD_ADMIN": f"http://127.0.0.1:{mta.admin_port}", "COLUMNS": "120"}

    def postroad(*words: str) -> str:
        command = [str(BIN / "postroad"), *words]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert "450 4.2.0 later" in postroad("queue")
    assert json.loads(postroad("queue", "--json"))["messages"] == 1
    assert json.loads(postroad("status", "--json"))["ready"] is True
    assert "1 deliveries are due now" in postroad("flush")
    wait_until(lambda: host.messages)
    mta.stop()
    assert json.loads(postroad("spool", "verify", str(mta.folder / "spool"), "--json"))["messages"] == 0


def test_check_tells_a_good_file_from_a_bad_one(tmp_path: Path) -> None:
    good = MtaDaemon(tmp_path, smart_host=1)
    assert subprocess.run([BIN / "postroad-mta", "check", "--config", good.config], capture_output=True).returncode == 0
    good.config.write_text(good.config.read_text().replace("[spool]", "[spol]"))
    bad = subprocess.run([BIN / "postroad-mta", "check", "--config", good.config], capture_output=True, text=True)
    assert bad.returncode == 78
    assert bad.stderr.splitlines() == [
        f"{good.config}: spool: missing; [spool]: where accepted mail lies.",
        f"{good.config}: spol: unknown key; known here: admin, auth, dkim, dns, drain, egress, limits, listeners, "
        "notices, retry, routing, shutdown, spool, tenants, workers",
    ]
