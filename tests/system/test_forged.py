# SPDX-License-Identifier: BSD-3-Clause
"""ACKs that scapy forges, replays, keeps too long and takes to nodes with another time.

scapy speaks from an address that no kernel has, so nobody answers but the engine.  The engine's
wall clock is moved by a preloaded library, tests/system/clock.c, for a minute is long.
"""

import os
import random
import time

import lab

FORGER = "10.9.0.77"
FORGER_MAC = "02:00:00:00:00:77"
EPOCH = 32
SYN, RST, ACK, FIN = 2, 4, 16, 1
OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1000, 0)), ("NOP", None), ("WScale", 7)]


class Wire:
    """Frames to and from an engine on one device of the client."""

    def __init__(self, site: lab.Site):
        from scapy.all import Ether, IP, TCP, conf  # pylint: disable=import-outside-toplevel
        self.ether, self.ip, self.tcp = Ether, IP, TCP
        conf.verb = 0
        with site.client.entered():
            self.socket = conf.L2socket(iface=site.device)
        site.lab.at_exit(self.socket.close)

    def send(self, sport: int, dport: int, flags: int, text: bytes = b"", source: str = FORGER,
             **fields) -> None:
        """One segment."""
        segment = self.tcp(sport=sport, dport=dport, flags=flags, window=60000, **fields)
        self.socket.send(self.ether(src=FORGER_MAC, dst=lab.ENGINE_MAC)
                         / self.ip(src=source, dst=lab.ENGINE4) / segment / text)

    def hear(self, sport: int, wanted, source: str = FORGER, seconds: float = 8):
        """The next segment for a port that is what is wanted, or None."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready = self.socket.select([self.socket], left)
            for one in ready:
                frame = one.recv()
                if frame is not None and frame.src == lab.ENGINE_MAC and self.tcp in frame \
                        and frame[self.ip].dst == source and frame[self.tcp].dport == sport \
                        and wanted(frame[self.tcp]):
                    return frame[self.tcp]
        return None


class Third:
    """A SYN that was answered, and the third segment that would open."""

    def __init__(self, wire: Wire, sport: int, dport: int = 80, options: list = None):
        self.wire, self.sport, self.dport = wire, sport, dport
        isn = random.randrange(1 << 32)
        wire.send(sport, dport, SYN, seq=isn, options=OPTIONS if options is None else options)
        # What was said before to the same port may come late.
        answer = wire.hear(sport, lambda segment: int(segment.flags) == SYN | ACK
                           and segment.ack == (isn + 1) % (1 << 32))
        lab.check(answer is not None, f"no SYN-ACK for port {sport}")
        self.seq, self.ack = (isn + 1) % (1 << 32), (answer.seq + 1) % (1 << 32)
        stamps = [value for name, value in answer.options if name == "Timestamp"]
        self.options = [("Timestamp", (1001, stamps[0][0]))] if stamps else []

    def send(self, flags: int = ACK, text: bytes = b"", **changed) -> None:
        """The third segment, or something like it."""
        fields = {"seq": self.seq, "ack": self.ack, "options": self.options, "sport": self.sport,
                  "dport": self.dport, **changed}
        self.wire.send(fields.pop("sport"), fields.pop("dport"), flags, text, **fields)

    def refused(self, what: str, sport: int = 0, source: str = FORGER, **changed) -> None:
        """It is answered with a RST."""
        if sport:
            changed["sport"] = sport
        self.send(source=source, **changed)
        answer = self.wire.hear(sport or self.sport, lambda segment: True, source)
        lab.check(answer is not None and int(answer.flags) == RST, f"{what}: {answer}")

    def opens(self, what: str) -> None:
        """It opens, and what is asked is answered."""
        self.send()
        self.send(text=b"GET / HTTP/1.0\r\n\r\n")
        answer = self.wire.hear(
            self.sport, lambda segment: bytes(segment.payload).startswith(b"HTTP/1.1 200"))
        lab.check(answer is not None, f"{what}: no answer")

    def reset(self, sent: int = 18) -> None:
        """End the connection."""
        self.send(RST, seq=(self.seq + sent) % (1 << 32))


class Clock:
    """An engine's wall clock: it begins with an epoch, and is moved from there."""

    def __init__(self, here: lab.Lab, seconds: int = 0):
        self.file, self.base = here.path(f"offset{seconds}"), -int(time.time()) % EPOCH
        self.write(seconds)

    def write(self, seconds: int) -> None:
        """So many seconds after the others."""
        self.file.write_text(str(self.base + seconds))

    def move(self, seconds: int) -> None:
        """The same, and wait until the engine knows."""
        self.write(seconds)
        lab.pause(2.3)  # control looks once a second, and keys settle for one


def site_of(here: lab.Lab, clock: Clock = None, packets: int = 0, **engine) -> lab.Site:
    """Services with cookies; with a clock of its own if one is given."""
    if clock:
        os.environ.update(LD_PRELOAD=lab.tool("libclock.so"), CLOCK_OFFSET_FILE=str(clock.file))
    try:
        return lab.Site(here, served=lab.services(
            web={"cookies": "always"}, mail={"cookies": "always"}, echo={"cookies": "always"}),
            packets=packets, drain_timeout="100ms", **engine)
    finally:
        os.environ.pop("LD_PRELOAD", None)
        os.environ.pop("CLOCK_OFFSET_FILE", None)


def opened(site: lab.Site) -> int:
    """Connections that the engine has seen open."""
    return site.engine.counters()["opened"]


def test_forged_acks_open_nothing():
    """Guesses, single bits, other ports, hosts and services, moved numbers: all get a RST."""
    with lab.Lab() as here:
        site = site_of(here, packets=4000)
        wire = Wire(site)
        for number, options in enumerate((OPTIONS, OPTIONS[:2])):
            third = Third(wire, random.randrange(1024, 60000), options=options)
            for bit in range(32):
                third.refused(f"bit {bit} of ACK", ack=third.ack ^ 1 << bit)
                third.refused(f"bit {bit} of SEQ", seq=third.seq ^ 1 << bit)
            for bit in range(6) if third.options else ():
                stamp = third.options[0][1][1] ^ 1 << bit
                third.refused(f"bit {bit} of TSecr", options=[("Timestamp", (1001, stamp))])
            third.refused("another port", sport=third.sport + 1)
            third.refused("another host", source="10.9.0.78")
            third.refused("another service", dport=25)
            third.refused("both moved by one", seq=(third.seq + 1) % (1 << 32),
                          ack=(third.ack + 1) % (1 << 32))
            lab.check(opened(site) == number, site.engine.counters())
            # What nobody tampered with is as good as before.
            third.opens("the true one")
            third.reset()
            lab.check(opened(site) == number + 1, site.engine.counters())


def test_replayed_acks_open_nothing():
    """A copy of the third segment: during the connection, after it, and after a new one."""
    with lab.Lab() as here:
        site = site_of(here, packets=4000, tcp={"time_wait": "1s"})
        wire = Wire(site)
        for way, sport in (("its client's reset", 2001), ("our close", 2002)):
            third = Third(wire, sport)
            third.opens(way)
            before = opened(site)
            for _ in range(5):
                third.send()
            if way == "our close":
                # The reply ended with our FIN, which is acknowledged, and answered.
                wire.send(sport, 80, ACK | FIN, seq=(third.seq + 18) % (1 << 32),
                          ack=(third.ack + 1024 + 200) % (1 << 32), options=third.options)
            third.reset()
            for pause in (0, 0, 0.1, 1.5):
                time.sleep(pause)
                third.send()
                third.send(text=b"GET / HTTP/1.0\r\n\r\n")
            time.sleep(0.1)
            lab.check(opened(site) == before, f"{way}: {site.engine.counters()}")
            # The same ports again are welcome, but not with the old cookie.
            again = Third(wire, sport)
            third.send()
            time.sleep(0.05)
            lab.check(opened(site) == before, f"{way}, again: {site.engine.counters()}")
            again.opens(f"{way}, again")
            again.reset()


def test_cookies_expire():
    """A cookie opens in the next epoch, not in the one after; nor after the clock was set back."""
    with lab.Lab() as here:
        clock = Clock(here)
        site = site_of(here, clock)
        wire = Wire(site)
        thirds = [Third(wire, sport, options=OPTIONS[:2] if sport % 2 else OPTIONS)
                  for sport in range(3000, 3006)]
        clock.move(EPOCH)
        thirds[0].opens("an epoch later")
        thirds[1].opens("an epoch later, without timestamps")
        clock.move(2 * EPOCH)
        thirds[2].refused("two epochs later")
        thirds[3].refused("two epochs later, without timestamps")
        now = site.engine.counters()
        lab.check((now["syn_cookies_expired"], now["syn_cookies_bad"]) == (2, 0), now)
        Third(wire, 3010).opens("made two epochs later")
        ahead = Third(wire, 3011)
        clock.move(0)
        ahead.refused("made two epochs ahead")
        thirds[4].opens("when it was made")
        now = site.engine.counters()
        lab.check((now["syn_cookies_ahead"], now["syn_cookies_bad"]) == (1, 0), now)
        lab.check(now["syn_cookies_opened"] == 4, now)


def test_nodes_clocks_may_differ_by_an_epoch():
    """Two nodes with one secret, an epoch apart, open what the other answered; not two apart."""
    with lab.Lab() as here:
        secret = here.path("secret")
        secret.write_bytes(os.urandom(32))
        secret.chmod(0o600)
        clocks = Clock(here), Clock(here, EPOCH)
        sites = [site_of(here, clock, secret=str(secret)) for clock in clocks]
        wires = [Wire(site) for site in sites]

        def third(made: int) -> Third:
            one = Third(wires[made], random.randrange(1024, 60000))
            one.wire = wires[1 - made]
            return one

        for made in range(2):
            third(made).opens(f"made by {made}")
        clocks[1].move(2 * EPOCH)
        for made, name in enumerate(("expired", "ahead")):
            third(made).refused(f"made by {made}")
            now = sites[1 - made].engine.counters()
            lab.check((now[f"syn_cookies_{name}"], now["syn_cookies_bad"]) == (1, 0), now)


def test_lost_third_segment_is_made_up_for():
    """Every bare ACK of the client is lost, and curl gets its page all the same."""
    lab.need("curl", "nft")
    with lab.Lab() as here:
        site = site_of(here)
        site.client.run("nft", "add table inet lose; add chain inet lose out "
                        "{ type filter hook output priority 0; }; add rule inet lose out "
                        "tcp dport 80 tcp flags & (syn | ack | fin | psh | rst) == ack "
                        "ip length <= 64 counter drop")
        for number in range(1, 4):
            done = site.client.run("curl", "-sS", "-m", "10", "-o", "/dev/null", "-w",
                                   "%{http_code} %{size_download}", f"http://{lab.ENGINE4}/")
            lab.check(done.stdout == "200 1024", done.stdout + done.stderr)
            lab.check(site.engine.counters()["syn_cookies_opened"] == number,
                      site.engine.counters())
        lost = site.client.run("nft", "list chain inet lose out").stdout
        lab.check("packets 0" not in lost and "packets" in lost, lost)


def test_service_that_speaks_first_waits():
    """A mail client whose third segment was lost hears its banner when it says anything."""
    lab.need("nft")
    with lab.Lab() as here:
        site = site_of(here)
        with site.client.connect(lab.ENGINE4, 25) as client:
            lab.check(client.recv(100).startswith(b"220 "), "no banner")
        site.client.run("nft", "add table inet lose; add chain inet lose out "
                        "{ type filter hook output priority 0; }; add rule inet lose out "
                        "tcp dport 25 tcp flags & (syn | ack | fin | psh | rst) == ack "
                        "ip length <= 64 counter drop")
        with site.client.connect(lab.ENGINE4, 25) as client:
            client.settimeout(1.5)
            try:
                lab.check(not client.recv(100), "a banner came out of nothing")
                raise lab.Failure("the connection ended")
            except TimeoutError:
                pass
            client.settimeout(5)
            client.sendall(b"EHLO x\r\n")
            lab.check(client.recv(100).startswith(b"220 "), "no banner")


if __name__ == "__main__":
    lab.main(globals())
