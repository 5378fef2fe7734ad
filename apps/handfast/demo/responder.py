# SPDX-License-Identifier: BSD-3-Clause
"""The responder: handfast itself answers, on one TAP device whose other end the clients have."""

import clients
from stage import NAME, Paint, Stage, must

CLIENT4, ENGINE4 = "10.9.0.1", "10.9.0.2"
CLIENT6, ENGINE6 = "fd00:9::1", "fd00:9::2"
BODY_SIZE = 1024
PROGRAMS = {"ip": "iproute2", "curl": "curl", "ab": "apache2-utils"}

CONFIGURATION = f"""\
engine:
  instance: {NAME}
  workers: auto
  memory: auto
  idle: sleep
ports:
  - name: lan
    device: tap:{NAME}
    addresses: [{ENGINE4}/24, "{ENGINE6}/64"]
services:
  - name: web
    listen: ["{ENGINE4}:80", "[{ENGINE6}]:80"]
    mode: respond
    reply: http
    body_size: {BODY_SIZE}
"""


def build(stage: Stage) -> str:
    """Two namespaces and the engine; returns the clients' namespace."""
    engine_side, client_side = stage.namespace("e"), stage.namespace("c")
    print(f"     engine on TAP device {NAME}, {ENGINE4} and {ENGINE6};"
          f"\n     clients in network namespace {client_side}, {CLIENT4} and {CLIENT6};"
          "\n     nothing of this machine's own network is used")
    stage.start_engine(engine_side, CONFIGURATION)
    stage.give_device(NAME, engine_side, client_side)
    must("ip", "-n", client_side, "addr", "add", f"{CLIENT4}/24", "dev", NAME)
    must("ip", "-n", client_side, "addr", "add", f"{CLIENT6}/64", "dev", NAME, "nodad")
    return client_side


def perform(stage: Stage, options) -> list:
    """The whole performance; returns the rows of its table."""
    print(Paint.bold("  1  the scene"))
    client_side = build(stage)
    info = stage.statistics()["info"]
    print(f"     running: handfast {info.get('version', '')}, workers: {info.get('workers', '?')}")
    print(Paint.bold("\n  2  one page"))
    rows = [clients.curl(stage, client_side, "curl over IPv4", f"http://{ENGINE4}/", BODY_SIZE),
            clients.curl(stage, client_side, "curl over IPv6", f"http://[{ENGINE6}]/", BODY_SIZE)]
    print(Paint.bold("\n  3  many connections, one after the other"))
    rows.append(clients.ab(stage, client_side, "ab, 50 at a time", f"http://{ENGINE4}/",
                           options.requests))
    print(Paint.bold("\n  4  many connections at once"))
    rows.append(clients.crowd(stage, client_side, options.connections, ENGINE4))
    return rows
