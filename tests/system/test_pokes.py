# SPDX-License-Identifier: BSD-3-Clause
"""Scanners poke the engine and get what RFC 9293 says, over IPv4 and IPv6."""

import re

import lab

# nmap's scan: what an open and a closed port are to look like (RFC 9293 3.10.7.1, 3.10.7.2).
SCANS = {
    "-sS": ("open", "closed"),
    "-sT": ("open", "closed"),
    "-sN": ("open|filtered", "closed"),
    "-sF": ("open|filtered", "closed"),
    "-sX": ("open|filtered", "closed"),
    "-sM": ("closed", "closed"),  # FIN,ACK: RST from both
    "-sA": ("unfiltered", "unfiltered"),
    "-sW": ("closed", "closed"),
}

# nmap's probes T1 to T7 (nmap.org/book/osdetect-methods.html) and how RFC 9293 answers: S and A are
# SEG.SEQ and SEG.ACK; Z zero, A the probe's ACK, S+ its SEQ plus one, O other.
PROBES = {
    "T1": ("R=Y", "S=O", "A=S+", "F=AS"),  # SYN, open: <SEQ=ISS><ACK=SEG.SEQ+1><CTL=SYN,ACK>
    "T2": ("R=N",),                        # nothing, open: dropped
    "T3": ("R=N",),                        # SYN,FIN,URG,PSH, open: dropped, as scanners' only
    "T4": ("R=Y", "S=A", "A=Z", "F=R"),    # ACK, open: <SEQ=SEG.ACK><CTL=RST>
    "T5": ("R=Y", "S=Z", "A=S+", "F=AR"),  # SYN, closed: <SEQ=0><ACK=SEG.SEQ+1><CTL=RST,ACK>
    "T6": ("R=Y", "S=A", "A=Z", "F=R"),    # ACK, closed: <SEQ=SEG.ACK><CTL=RST>
    "T7": ("R=Y", "S=Z", "A=S+", "F=AR"),  # FIN,PSH,URG, closed: <SEQ=0><ACK=SEG.SEQ+1>
}

# hping3's flags, and the answers of an open and a closed port; None is silence.
FLAGS = (
    (("-S",), "SA", "RA"),
    (("-A",), "R", "R"),
    (("-F",), None, "RA"),
    (("-F", "-A"), "R", "R"),
    (("-S", "-A"), "R", "R"),
    (("-S", "-F"), None, "RA"),
    (("-F", "-P", "-U"), None, "RA"),
    (("-P",), None, "RA"),
    (("-R",), None, None),
    (("-R", "-A"), None, None),
    (("-S", "-R"), None, None),
    ((), None, "RA"),
)


def nmap(site: lab.Site, host: str, *options: str) -> str:
    """What nmap says of ports 80 and 81."""
    family = ["-6"] if ":" in host else []
    return site.client.run("nmap", *family, "-n", "-Pn", "-p", "80,81", "--max-retries", "2",
                           *options, host).stdout


def test_every_scan_sees_what_rfc_9293_says():
    """nmap's SYN, connect, NULL, FIN, XMAS, Maimon, ACK and window scans, IPv4 and IPv6."""
    lab.need("nmap")
    with lab.Lab() as here:
        site = lab.Site(here)
        for host in (lab.ENGINE4, lab.ENGINE6):
            for kind, states in SCANS.items():
                said = nmap(site, host, kind)
                got = dict(re.findall(r"^(\d+)/tcp +(\S+)", said, re.MULTILINE))
                lab.check(got == dict(zip(("80", "81"), states)), f"nmap {kind} {host}: {said}")


def test_os_detection_sees_what_rfc_9293_says():
    """nmap -O: its probes T1 to T7 get the RFC's answers, initial sequence numbers are as hard to
    guess as nmap can say, and IP identifications are of no use to anybody."""
    lab.need("nmap")
    with lab.Lab() as here:
        site = lab.Site(here)
        said = nmap(site, lab.ENGINE4, "-O", "-v", "-d")
        # nmap breaks the lines of a fingerprint that it thinks complete.
        fingerprint = re.sub(r"\nOS:", "", said)
        for probe, wanted in PROBES.items():
            got = re.search(rf"\b{probe}\(([^)]*)\)", fingerprint)
            lab.check(got, f"no {probe} in {said}")
            missing = [word for word in wanted if word not in got[1].split("%")]
            lab.check(not missing, f"{probe} is {got[1]}, without {missing}")
        difficulty = re.search(r"TCP Sequence Prediction: Difficulty=(\d+)", said)
        lab.check(difficulty and int(difficulty[1]) >= 200, f"predictable: {said}")
        lab.check("IP ID Sequence Generation: All zeros" in said, said)
        lab.check("80/tcp open" in nmap(site, lab.ENGINE6, "-O"), "IPv6: port 80 is not open")


def test_hping_flags_get_their_answers():
    """hping3: every combination of flags that a scanner uses, to an open and to a closed port."""
    lab.need("hping3")
    with lab.Lab() as here:
        site = lab.Site(here)
        for options, *answers in FLAGS:
            for port, answer in zip(("80", "81"), answers):
                said = site.client.run("hping3", "-n", "-c", "1", "-M", "1000", "-L", "77", "-p",
                                       port, *options, lab.ENGINE4, ok=False).stdout
                got = re.search(r"flags=(\w+) ", said)
                lab.check((got[1] if got else None) == answer,
                          f"hping3 {' '.join(options)} to port {port}: {said}")


def test_floods_do_not_silence():
    """A thousand SYNs, FINs and ACKs each from many sources; then a handshake still works."""
    lab.need("hping3", "curl")
    with lab.Lab() as here:
        site = lab.Site(here)
        for options in (("-S",), ("-F",), ("-A",), ("-S", "-F", "-P", "-U")):
            site.client.run("hping3", "-n", "-q", "-c", "1000", "-i", "u300", "--rand-source", "-p",
                            "80", *options, lab.ENGINE4, ok=False)
        done = site.client.run("curl", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}",
                               f"http://{lab.ENGINE4}/")
        lab.check(done.stdout == "200", done.stdout + done.stderr)


if __name__ == "__main__":
    lab.main(globals())
