/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The oracle against answers written by hand, one per row of the research's conformance list
 * (sections B, E, F, G, H, J): an oracle needs tests too.
 */

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cases.h"
#include "oracle.h"

#define WINDOW 1000

static const struct cases_base base = {
		.rcv_nxt = 0x20000000,
		.snd_una = 0x10000000,
		.ts_recent = 5000,
		.isn = 0x30000000,
};

enum role { PASSIVE, ACTIVE };
enum stamps { OFF, NEWER, EQUAL, OLDER, MISSING };

/* What goes in, and one answer that must be permitted; `never` must not be. */
struct row {
	const char *claim;
	enum tcp_state state;
	enum role role;
	uint8_t flags;
	int32_t seq; /* from RCV.NXT */
	int32_t ack; /* from SND.NXT */
	uint16_t payload;
	enum stamps stamps;

	enum tcp_state next;
	enum tcp_send send;
	int32_t rcv_nxt; /* how far it moves */
	int32_t snd_una;
	uint8_t outcome;
};

#define DATA      TCP_OUTCOME_DATA
#define OPENED    TCP_OUTCOME_OPENED
#define ACKED     TCP_OUTCOME_ACKED
#define PEER_FIN  TCP_OUTCOME_PEER_FIN
#define NOTHING   TCP_SEND_NOTHING
#define CHALLENGE TCP_SEND_CHALLENGE_ACK

#define FIN_ACK   (TCP_FIN | TCP_ACK)
#define RST_ACK   (TCP_RST | TCP_ACK)
#define SYN_ACK   (TCP_SYN | TCP_ACK)

/* clang-format off */
static const struct row rows[] = {
	/* B: no connection */
	{"B1 bare segment to CLOSED", TCP_CLOSED, PASSIVE, TCP_SYN, 0, 0, 0, OFF,
	 TCP_CLOSED, TCP_SEND_RST_ACK, 0, 0, 0},
	{"B1 FIN without ACK to CLOSED", TCP_CLOSED, PASSIVE, TCP_FIN, 0, 0, 9, OFF,
	 TCP_CLOSED, TCP_SEND_RST_ACK, 0, 0, 0},
	{"B2 ACK to CLOSED", TCP_CLOSED, PASSIVE, TCP_ACK, 0, 7, 0, OFF,
	 TCP_CLOSED, TCP_SEND_RST, 0, 0, 0},
	{"B2 SYN,ACK to CLOSED", TCP_CLOSED, PASSIVE, SYN_ACK, 0, 7, 0, OFF,
	 TCP_CLOSED, TCP_SEND_RST, 0, 0, 0},
	{"B3 RST to CLOSED", TCP_CLOSED, PASSIVE, TCP_RST, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, 0},
	{"B3 RST,ACK to CLOSED", TCP_CLOSED, PASSIVE, RST_ACK, 0, 3, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, 0},
	{"B5 RST to LISTEN", TCP_LISTEN, PASSIVE, TCP_RST, 0, 0, 0, OFF,
	 TCP_LISTEN, NOTHING, 0, 0, 0},
	{"B6 ACK to LISTEN", TCP_LISTEN, PASSIVE, TCP_ACK, 0, 5, 0, OFF,
	 TCP_LISTEN, TCP_SEND_RST, 0, 0, 0},
	{"B6 SYN,ACK to LISTEN", TCP_LISTEN, PASSIVE, SYN_ACK, 0, 5, 0, OFF,
	 TCP_LISTEN, TCP_SEND_RST, 0, 0, 0},
	{"B6 FIN,ACK to LISTEN", TCP_LISTEN, PASSIVE, FIN_ACK, 0, 5, 3, OFF,
	 TCP_LISTEN, TCP_SEND_RST, 0, 0, 0},
	{"B7 null to LISTEN", TCP_LISTEN, PASSIVE, 0, 0, 0, 0, OFF,
	 TCP_LISTEN, NOTHING, 0, 0, 0},
	{"B7 Christmas tree to LISTEN", TCP_LISTEN, PASSIVE, TCP_FIN | TCP_PSH | TCP_URG, 0, 0, 0,
	 OFF, TCP_LISTEN, NOTHING, 0, 0, 0},
	{"B8 SYN,RST to LISTEN", TCP_LISTEN, PASSIVE, TCP_SYN | TCP_RST, 0, 0, 0, OFF,
	 TCP_LISTEN, NOTHING, 0, 0, 0},
	{"B8 all flags to LISTEN", TCP_LISTEN, PASSIVE, 0xff, 0, 0, 0, OFF,
	 TCP_LISTEN, NOTHING, 0, 0, 0},
	{"B9 SYN,FIN to LISTEN", TCP_LISTEN, PASSIVE, TCP_SYN | TCP_FIN, 0, 0, 0, OFF,
	 TCP_LISTEN, NOTHING, 0, 0, 0},
	{"B10 SYN to LISTEN", TCP_LISTEN, PASSIVE, TCP_SYN, 77, 0, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_SYN_ACK, 78, 0x30000000, 0},
	{"B11 SYN with PSH and URG", TCP_LISTEN, PASSIVE, TCP_SYN | TCP_PSH | TCP_URG, 77, 0, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_SYN_ACK, 78, 0x30000000, 0},
	{"B12 data on the SYN is not acknowledged", TCP_LISTEN, PASSIVE, TCP_SYN, 77, 0, 100, OFF,
	 TCP_SYN_RCVD, TCP_SEND_SYN_ACK, 78, 0x30000000, 0},

	/* E: SYN-RECEIVED */
	{"E1 third segment", TCP_SYN_RCVD, PASSIVE, TCP_ACK, 0, 0, 0, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 1, OPENED},
	{"E2 ACK of ISS", TCP_SYN_RCVD, PASSIVE, TCP_ACK, 0, -1, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_RST, 0, 0, 0},
	{"E2 ACK beyond SND.NXT", TCP_SYN_RCVD, PASSIVE, TCP_ACK, 0, 1, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_RST, 0, 0, 0},
	{"E2 ACK far away, with data", TCP_SYN_RCVD, PASSIVE, TCP_ACK, 0, -1000000, 10, OFF,
	 TCP_SYN_RCVD, TCP_SEND_RST, 0, 0, 0},
	{"E3 right ACK outside the window", TCP_SYN_RCVD, PASSIVE, TCP_ACK, WINDOW, 0, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_ACK, 0, 0, 0},
	{"E4 data without ACK", TCP_SYN_RCVD, PASSIVE, TCP_PSH, 0, 0, 10, OFF,
	 TCP_SYN_RCVD, NOTHING, 0, 0, 0},
	{"E4 FIN without ACK", TCP_SYN_RCVD, PASSIVE, TCP_FIN, 0, 0, 0, OFF,
	 TCP_SYN_RCVD, NOTHING, 0, 0, 0},
	{"E5 data in place of the third segment", TCP_SYN_RCVD, PASSIVE, TCP_ACK | TCP_PSH, 0, 0, 100,
	 OFF, TCP_ESTABLISHED, TCP_SEND_ACK, 100, 1, OPENED | DATA},
	{"E6 third segment with FIN", TCP_SYN_RCVD, PASSIVE, FIN_ACK, 0, 0, 0, OFF,
	 TCP_CLOSE_WAIT, TCP_SEND_ACK, 1, 1, OPENED | PEER_FIN},
	{"E6 third segment with data and FIN", TCP_SYN_RCVD, PASSIVE, FIN_ACK, 0, 0, 5, OFF,
	 TCP_CLOSE_WAIT, TCP_SEND_ACK, 6, 1, OPENED | DATA | PEER_FIN},
	{"E7 RST at RCV.NXT", TCP_SYN_RCVD, PASSIVE, TCP_RST, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"E7 RST at RCV.NXT, active", TCP_SYN_RCVD, ACTIVE, RST_ACK, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"E8 RST outside the window", TCP_SYN_RCVD, PASSIVE, TCP_RST, WINDOW, 0, 0, OFF,
	 TCP_SYN_RCVD, NOTHING, 0, 0, 0},
	{"E9 RST inside the window", TCP_SYN_RCVD, PASSIVE, TCP_RST, 1, 0, 0, OFF,
	 TCP_SYN_RCVD, CHALLENGE, 0, 0, 0},
	{"E10 the SYN again", TCP_SYN_RCVD, PASSIVE, TCP_SYN, -1, 0, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_SYN_ACK, 0, 0, 0},
	{"E11 another SYN, left of the window", TCP_SYN_RCVD, PASSIVE, TCP_SYN, -5000, 0, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_ACK, 0, 0, 0},
	{"E12 another SYN, in the window", TCP_SYN_RCVD, PASSIVE, TCP_SYN, 10, 0, 0, OFF,
	 TCP_SYN_RCVD, CHALLENGE, 0, 0, 0},
	{"E13 SYN,ACK", TCP_SYN_RCVD, PASSIVE, SYN_ACK, -1, 0, 0, OFF,
	 TCP_SYN_RCVD, CHALLENGE, 0, 0, 0},

	/* F: synchronized */
	{"F1 SYN in the window", TCP_ESTABLISHED, PASSIVE, TCP_SYN, 10, 0, 0, OFF,
	 TCP_ESTABLISHED, CHALLENGE, 0, 0, 0},
	{"F1 SYN outside the window", TCP_ESTABLISHED, PASSIVE, TCP_SYN, 5000, 0, 0, OFF,
	 TCP_ESTABLISHED, CHALLENGE, 0, 0, 0},
	{"F2 SYN,ACK", TCP_ESTABLISHED, PASSIVE, SYN_ACK, -1, 0, 0, OFF,
	 TCP_ESTABLISHED, CHALLENGE, 0, 0, 0},
	{"F3 RST at RCV.NXT with a wrong ACK", TCP_ESTABLISHED, PASSIVE, RST_ACK, 0, 77777, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"F3 RST at RCV.NXT with data", TCP_ESTABLISHED, PASSIVE, TCP_RST, 0, 0, 50, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"F4 RST at the window's last number", TCP_ESTABLISHED, PASSIVE, TCP_RST, WINDOW - 1, 0, 0,
	 OFF, TCP_ESTABLISHED, CHALLENGE, 0, 0, 0},
	{"F5 RST at the window's right edge", TCP_ESTABLISHED, PASSIVE, TCP_RST, WINDOW, 0, 0, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 0, 0},
	{"F5 RST left of the window", TCP_ESTABLISHED, PASSIVE, TCP_RST, -1, 0, 0, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 0, 0},
	{"F8 ACK of what was never sent", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, 1, 100, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"F9 ACK older than the largest window", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, -100000, 100,
	 OFF, TCP_ESTABLISHED, CHALLENGE, 0, 0, 0},
	{"F9 old ACK within the largest window: data taken", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0,
	 -5000, 100, OFF, TCP_ESTABLISHED, TCP_SEND_ACK, 100, 0, DATA},
	{"F10 old data", TCP_ESTABLISHED, PASSIVE, TCP_ACK, -100, 0, 100, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"F10 overlap", TCP_ESTABLISHED, PASSIVE, TCP_ACK, -100, 0, 150, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 50, 100, DATA | ACKED},
	{"F11 data beyond the window", TCP_ESTABLISHED, PASSIVE, TCP_ACK, WINDOW, 0, 10, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"F11 data across the window's right edge is cut", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, 0,
	 1200, OFF, TCP_ESTABLISHED, TCP_SEND_ACK, WINDOW, 100, DATA | ACKED},
	{"F12 data without ACK", TCP_ESTABLISHED, PASSIVE, TCP_PSH, 0, 0, 10, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 0, 0},
	{"F14 out of order", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 100, -100, 100, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"F15 bare ACK", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, 0, 0, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 100, ACKED},
	{"F15 bare ACK of a part", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, -40, 0, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 60, ACKED},
	{"F16 URG disturbs nothing", TCP_ESTABLISHED, PASSIVE, TCP_ACK | TCP_URG, 0, 0, 10, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 10, 100, DATA | ACKED},
	{"F17 PAWS", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, 0, 10, OLDER,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"F17 PAWS does not concern RST", TCP_ESTABLISHED, PASSIVE, TCP_RST, 0, 0, 0, OLDER,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"C10 no timestamp although negotiated", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, 0, 10, MISSING,
	 TCP_ESTABLISHED, NOTHING, 0, 0, 0},
	{"C10 RST needs none", TCP_ESTABLISHED, PASSIVE, TCP_RST, 0, 0, 0, MISSING,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"C12 equal timestamp is no obstacle", TCP_ESTABLISHED, PASSIVE, TCP_ACK, 0, 0, 10, EQUAL,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 10, 100, DATA | ACKED},
	{"F19 keep-alive of no byte", TCP_ESTABLISHED, PASSIVE, TCP_ACK, -1, 0, 0, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"F19 keep-alive of one byte", TCP_ESTABLISHED, PASSIVE, TCP_ACK, -1, 0, 1, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},

	/* G: closing */
	{"G1 FIN", TCP_ESTABLISHED, PASSIVE, FIN_ACK, 0, 0, 0, OFF,
	 TCP_CLOSE_WAIT, TCP_SEND_ACK, 1, 100, PEER_FIN | ACKED},
	{"G1 last ACK", TCP_LAST_ACK, PASSIVE, TCP_ACK, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_CLOSED},
	{"G2 FIN with data", TCP_ESTABLISHED, PASSIVE, FIN_ACK, 0, 0, 10, OFF,
	 TCP_CLOSE_WAIT, TCP_SEND_ACK, 11, 100, DATA | PEER_FIN | ACKED},
	{"G3 FIN again in CLOSE-WAIT", TCP_CLOSE_WAIT, PASSIVE, FIN_ACK, -1, -100, 0, OFF,
	 TCP_CLOSE_WAIT, TCP_SEND_ACK, 0, 0, 0},
	{"G3 FIN again in LAST-ACK", TCP_LAST_ACK, PASSIVE, FIN_ACK, -1, -100, 0, OFF,
	 TCP_LAST_ACK, TCP_SEND_ACK, 0, 0, 0},
	{"G3 FIN again in CLOSING", TCP_CLOSING, PASSIVE, FIN_ACK, -1, -100, 0, OFF,
	 TCP_CLOSING, TCP_SEND_ACK, 0, 0, 0},
	{"G5 LAST-ACK: ACK below the FIN", TCP_LAST_ACK, PASSIVE, TCP_ACK, 0, -1, 0, OFF,
	 TCP_LAST_ACK, NOTHING, 0, 99, ACKED},
	{"G5 LAST-ACK: ACK beyond SND.NXT", TCP_LAST_ACK, PASSIVE, TCP_ACK, 0, 1, 0, OFF,
	 TCP_LAST_ACK, TCP_SEND_ACK, 0, 0, 0},
	{"G6 RST in FIN-WAIT-1", TCP_FIN_WAIT_1, PASSIVE, TCP_RST, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"G6 RST in LAST-ACK", TCP_LAST_ACK, PASSIVE, TCP_RST, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"G7 SYN in LAST-ACK", TCP_LAST_ACK, PASSIVE, TCP_SYN, 5, 0, 0, OFF,
	 TCP_LAST_ACK, CHALLENGE, 0, 0, 0},
	{"G7 SYN in FIN-WAIT-2", TCP_FIN_WAIT_2, PASSIVE, TCP_SYN, 5, 0, 0, OFF,
	 TCP_FIN_WAIT_2, CHALLENGE, 0, 0, 0},
	{"G7 SYN in CLOSING", TCP_CLOSING, PASSIVE, TCP_SYN, 5, 0, 0, OFF,
	 TCP_CLOSING, CHALLENGE, 0, 0, 0},
	{"G8 FIN outside the window", TCP_ESTABLISHED, PASSIVE, FIN_ACK, WINDOW, 0, 0, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"G8 FIN behind a gap", TCP_ESTABLISHED, PASSIVE, FIN_ACK, 10, -100, 0, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"G9 data behind the peer's FIN", TCP_CLOSE_WAIT, PASSIVE, TCP_ACK, 0, -100, 10, OFF,
	 TCP_CLOSE_WAIT, NOTHING, 0, 0, 0},
	{"G10 FIN without ACK", TCP_ESTABLISHED, PASSIVE, TCP_FIN, 0, 0, 0, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 0, 0},
	{"G12 FIN-WAIT-1: our FIN is acknowledged", TCP_FIN_WAIT_1, PASSIVE, TCP_ACK, 0, 0, 0, OFF,
	 TCP_FIN_WAIT_2, NOTHING, 0, 100, ACKED},
	{"G12 FIN-WAIT-1: data before our FIN is acknowledged", TCP_FIN_WAIT_1, PASSIVE, TCP_ACK, 0,
	 -1, 0, OFF, TCP_FIN_WAIT_1, NOTHING, 0, 99, ACKED},
	{"G12 FIN-WAIT-2: FIN", TCP_FIN_WAIT_2, PASSIVE, FIN_ACK, 0, 0, 0, OFF,
	 TCP_TIME_WAIT, TCP_SEND_ACK, 1, 0, PEER_FIN},
	{"G13 FIN-WAIT-1: FIN that acknowledges ours", TCP_FIN_WAIT_1, PASSIVE, FIN_ACK, 0, 0, 0, OFF,
	 TCP_TIME_WAIT, TCP_SEND_ACK, 1, 100, PEER_FIN | ACKED},
	{"G14 FIN-WAIT-1: FIN that does not", TCP_FIN_WAIT_1, PASSIVE, FIN_ACK, 0, -100, 0, OFF,
	 TCP_CLOSING, TCP_SEND_ACK, 1, 0, PEER_FIN},
	{"G14 CLOSING: our FIN is acknowledged", TCP_CLOSING, PASSIVE, TCP_ACK, 0, 0, 0, OFF,
	 TCP_TIME_WAIT, NOTHING, 0, 100, ACKED},
	{"G15 data in FIN-WAIT-2 is taken", TCP_FIN_WAIT_2, PASSIVE, TCP_ACK, 0, 0, 10, OFF,
	 TCP_FIN_WAIT_2, TCP_SEND_ACK, 10, 0, DATA},
	{"G16 RST inside the window in FIN-WAIT-2", TCP_FIN_WAIT_2, PASSIVE, TCP_RST, 5, 0, 0, OFF,
	 TCP_FIN_WAIT_2, CHALLENGE, 0, 0, 0},

	/* H: TIME-WAIT */
	{"H2 FIN again", TCP_TIME_WAIT, PASSIVE, FIN_ACK, -1, 0, 0, OFF,
	 TCP_TIME_WAIT, TCP_SEND_ACK, 0, 0, 0},
	{"H3 old segment", TCP_TIME_WAIT, PASSIVE, TCP_ACK, -50, 0, 10, OFF,
	 TCP_TIME_WAIT, TCP_SEND_ACK, 0, 0, 0},
	{"H4 bare ACK in order", TCP_TIME_WAIT, PASSIVE, TCP_ACK, 0, 0, 0, OFF,
	 TCP_TIME_WAIT, NOTHING, 0, 0, 0},
	{"H5 RST outside the window", TCP_TIME_WAIT, PASSIVE, TCP_RST, -1, 0, 0, OFF,
	 TCP_TIME_WAIT, NOTHING, 0, 0, 0},
	{"H5 RST at RCV.NXT", TCP_TIME_WAIT, PASSIVE, TCP_RST, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"H6 SYN with a newer timestamp and an older SEQ", TCP_TIME_WAIT, PASSIVE, TCP_SYN, -9000, 0,
	 0, NEWER, TCP_SYN_RCVD, TCP_SEND_SYN_ACK, -8999, 0x20000000, 0},
	{"H7 SYN without timestamps and a higher SEQ", TCP_TIME_WAIT, PASSIVE, TCP_SYN, 9000, 0, 0,
	 OFF, TCP_SYN_RCVD, TCP_SEND_SYN_ACK, 9001, 0x20000000, 0},
	{"H8 SYN with an older timestamp", TCP_TIME_WAIT, PASSIVE, TCP_SYN, 9000, 0, 0, OLDER,
	 TCP_TIME_WAIT, TCP_SEND_ACK, 0, 0, 0},
	{"H8 SYN with a lower SEQ", TCP_TIME_WAIT, PASSIVE, TCP_SYN, -9000, 0, 0, OFF,
	 TCP_TIME_WAIT, TCP_SEND_ACK, 0, 0, 0},

	/* J: active open; RCV.NXT is zero in SYN-SENT */
	{"J2 SYN,ACK", TCP_SYN_SENT, ACTIVE, SYN_ACK, 500, 0, 0, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 501, 1, OPENED},
	{"J3 SYN,ACK of ISS", TCP_SYN_SENT, ACTIVE, SYN_ACK, 500, -1, 0, OFF,
	 TCP_SYN_SENT, TCP_SEND_RST, 0, 0, 0},
	{"J3 ACK beyond SND.NXT", TCP_SYN_SENT, ACTIVE, TCP_ACK, 500, 1, 0, OFF,
	 TCP_SYN_SENT, TCP_SEND_RST, 0, 0, 0},
	{"J4 RST,ACK", TCP_SYN_SENT, ACTIVE, RST_ACK, 0, 0, 0, OFF,
	 TCP_CLOSED, NOTHING, 0, 0, TCP_OUTCOME_RESET},
	{"J5 RST without ACK", TCP_SYN_SENT, ACTIVE, TCP_RST, 0, 0, 0, OFF,
	 TCP_SYN_SENT, NOTHING, 0, 0, 0},
	{"J5 RST with a wrong ACK", TCP_SYN_SENT, ACTIVE, RST_ACK, 0, 1, 0, OFF,
	 TCP_SYN_SENT, NOTHING, 0, 0, 0},
	{"J6 ACK of ISS+1 without SYN", TCP_SYN_SENT, ACTIVE, TCP_ACK, 500, 0, 0, OFF,
	 TCP_SYN_SENT, NOTHING, 0, 0, 0},
	{"J6 FIN", TCP_SYN_SENT, ACTIVE, FIN_ACK, 500, 0, 10, OFF,
	 TCP_SYN_SENT, NOTHING, 0, 0, 0},
	{"J7 simultaneous open", TCP_SYN_SENT, ACTIVE, TCP_SYN, 500, 0, 0, OFF,
	 TCP_SYN_RCVD, TCP_SEND_SYN_ACK, 501, 0, 0},
	{"J7 its ACK", TCP_SYN_RCVD, ACTIVE, TCP_ACK, 0, 0, 0, OFF,
	 TCP_ESTABLISHED, NOTHING, 0, 1, OPENED},
	{"J7 its SYN,ACK", TCP_SYN_RCVD, ACTIVE, SYN_ACK, -1, 0, 0, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 1, OPENED},
	{"J10 SYN,ACK again", TCP_ESTABLISHED, ACTIVE, SYN_ACK, -1, -100, 0, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 0, 0, 0},
	{"J11 data on the SYN,ACK left alone", TCP_SYN_SENT, ACTIVE, SYN_ACK, 500, 0, 10, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 501, 1, OPENED},
	{"J11 data on the SYN,ACK taken", TCP_SYN_SENT, ACTIVE, SYN_ACK, 500, 0, 10, OFF,
	 TCP_ESTABLISHED, TCP_SEND_ACK, 511, 1, OPENED | DATA},
};
/* clang-format on */

static void
make_question(const struct row *row, struct oracle_case *question)
{
	const struct cases_shape shape = {
			.state = row->state,
			.active = row->role == ACTIVE,
			.timestamps = row->stamps != OFF,
			.in_flight = 100,
	};
	struct tcp_segment *segment = &question->segment;

	memset(question, 0, sizeof(*question));
	question->before = cases_conn(&base, &shape);
	question->env = (struct tcp_env){
			.config = &cases_config,
			.rcv_wnd = WINDOW,
			.isn = base.isn,
			.path_mss = 1460,
			.default_mss = 536,
	};
	segment->flags = row->flags;
	segment->seq = question->before.rcv_nxt + (uint32_t)row->seq;
	segment->ack = row->flags & TCP_ACK ? question->before.snd_nxt + (uint32_t)row->ack : 0;
	segment->payload_length = row->payload;
	segment->window = 500;
	if (row->stamps == NEWER || row->stamps == EQUAL || row->stamps == OLDER) {
		segment->options = TCP_OPTION_TIMESTAMPS;
		segment->tsval = base.ts_recent + (row->stamps == NEWER                  ? 10
								  : row->stamps == OLDER ? -10
											 : 0);
	}
	question->event = row->flags & TCP_RST ? TCP_EVENT_RST : TCP_EVENT_ACK;
}

/* The answer a row describes, with every number it does not name as the oracle would have it. */
static void
make_answer(const struct row *row, const struct oracle_case *question,
		const struct oracle_verdict *verdict, struct tcp_conn *after,
		struct tcp_action *action)
{
	const struct oracle_choice *choice = &verdict->choice[0];

	for (unsigned int i = verdict->count; i-- > 0;)
		if (verdict->choice[i].states & ORACLE_BIT(row->next))
			choice = &verdict->choice[i];
	*after = question->before;
	after->state = row->next;
	after->rcv_nxt += (uint32_t)row->rcv_nxt;
	after->snd_una += (uint32_t)row->snd_una;
	if (row->send == TCP_SEND_SYN_ACK && row->state != TCP_SYN_RCVD)
		after->snd_nxt = after->snd_una + 1;
	after->ts_recent = choice->ts_recent;
	after->snd_wnd = choice->snd_wnd;
	after->flags = (after->flags & ~choice->flags_mask) | choice->flags;
	*action = (struct tcp_action){
			.send = row->send,
			.outcome = row->outcome,
			.skip = row->outcome & DATA && row->seq < 0 ? -row->seq : 0,
			.take = row->outcome & DATA
						? row->rcv_nxt -
								  (row->state == TCP_SYN_SENT ? 501
											      : 0) -
								  !!(row->outcome & PEER_FIN)
						: 0,
			.timer = choice->determined & ORACLE_DELAY ? TCP_TIMER_SET : TCP_TIMER_KEEP,
			.delay_ms = choice->delay_ms,
	};
}

static void
every_row_is_permitted(void **unused)
{
	unsigned int failures = 0;

	(void)unused;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oracle_case question;
		struct oracle_verdict verdict;
		struct tcp_conn after;
		struct tcp_action action;

		make_question(&rows[i], &question);
		oracle_judge(&question, &verdict);
		make_answer(&rows[i], &question, &verdict, &after, &action);
		if (oracle_permits(&verdict, &question, &after, &action))
			continue;
		failures++;
		fprintf(stderr, "%s\n", rows[i].claim);
		oracle_print_case(stderr, &question);
		oracle_print_verdict(stderr, &question, &verdict);
		oracle_print_result(stderr, &question, &after, &action);
	}
	print_message("%zu rows\n", sizeof(rows) / sizeof(rows[0]));
	assert_int_equal(failures, 0);
}

/* A verdict that permits everything would pass the test above: each row's answer, bent in one
 * place, must be refused, except where the row is one of several permitted answers. */
static void
a_bent_answer_is_refused(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oracle_case question;
		struct oracle_verdict verdict;
		struct tcp_conn after;
		struct tcp_conn bent;
		struct tcp_action action;
		struct tcp_action bent_action;

		make_question(&rows[i], &question);
		oracle_judge(&question, &verdict);
		make_answer(&rows[i], &question, &verdict, &after, &action);

		bent = after;
		bent.state = after.state == TCP_FIN_WAIT_2 ? TCP_LAST_ACK : TCP_FIN_WAIT_2;
		assert_false(oracle_permits(&verdict, &question, &bent, &action));

		bent_action = action;
		bent_action.send = TCP_SEND_PROBE;
		assert_false(oracle_permits(&verdict, &question, &after, &bent_action));

		bent_action = action;
		bent_action.outcome ^= TCP_OUTCOME_TIMED_OUT;
		assert_false(oracle_permits(&verdict, &question, &after, &bent_action));

		if (after.state == TCP_CLOSED && question.before.state != TCP_CLOSED)
			continue; /* The TCB is gone, its numbers with it. */
		bent = after;
		bent.rcv_nxt += 3;
		assert_false(oracle_permits(&verdict, &question, &bent, &action));
		bent = after;
		bent.snd_una -= 3;
		assert_false(oracle_permits(&verdict, &question, &bent, &action));
		bent = after;
		bent.snd_nxt += 3;
		assert_false(oracle_permits(&verdict, &question, &bent, &action));
		bent_action = action;
		bent_action.outcome ^= TCP_OUTCOME_OPENED;
		assert_false(oracle_permits(&verdict, &question, &after, &bent_action));
		bent_action = action;
		bent_action.outcome ^= TCP_OUTCOME_PEER_FIN;
		assert_false(oracle_permits(&verdict, &question, &after, &bent_action));
	}
}

static void
judge_call(enum tcp_state state, enum tcp_event event, uint16_t flags, uint8_t retries,
		uint32_t in_flight, struct oracle_verdict *verdict)
{
	const struct cases_shape shape = {.state = state,
			.active = state == TCP_SYN_SENT,
			.in_flight = in_flight,
			.more_flags = flags,
			.retries = retries};
	struct oracle_case question = {
			.before = cases_conn(&base, &shape),
			.event = event,
			.env = {.config = &cases_config, .isn = base.isn},
	};

	oracle_judge(&question, verdict);
}

static void
a_syn_is_sent_again_with_doubled_delays_until_its_retries_are_used_up(void **unused)
{
	struct oracle_verdict verdict;

	(void)unused;
	for (uint8_t retries = 0; retries < cases_config.syn_retries; retries++) {
		judge_call(TCP_SYN_SENT, TCP_EVENT_TIMEOUT, 0, retries, 0, &verdict);
		assert_int_equal(verdict.count, 1);
		assert_int_equal(verdict.choice[0].sends, ORACLE_BIT(TCP_SEND_SYN));
		assert_int_equal(verdict.choice[0].delay_ms, 2000u << retries);
	}
	judge_call(TCP_SYN_SENT, TCP_EVENT_TIMEOUT, 0, cases_config.syn_retries, 0, &verdict);
	assert_int_equal(verdict.count, 1);
	assert_int_equal(verdict.choice[0].sends, ORACLE_BIT(TCP_SEND_NOTHING));
	assert_int_equal(verdict.choice[0].endings, TCP_OUTCOME_TIMED_OUT);
}

static void
a_timeout_ends_time_wait_and_fin_wait_2_and_aborts_an_idle_connection(void **unused)
{
	struct oracle_verdict verdict;

	(void)unused;
	judge_call(TCP_TIME_WAIT, TCP_EVENT_TIMEOUT, 0, 0, 0, &verdict);
	assert_int_equal(verdict.choice[0].states, ORACLE_BIT(TCP_CLOSED));
	assert_int_equal(verdict.choice[0].sends, ORACLE_BIT(TCP_SEND_NOTHING));
	judge_call(TCP_FIN_WAIT_2, TCP_EVENT_TIMEOUT, 0, 0, 0, &verdict);
	assert_int_equal(verdict.choice[0].states, ORACLE_BIT(TCP_CLOSED));
	judge_call(TCP_ESTABLISHED, TCP_EVENT_TIMEOUT, 0, 0, 0, &verdict);
	assert_int_equal(verdict.choice[0].states, ORACLE_BIT(TCP_CLOSED));
	assert_int_equal(verdict.choice[0].sends, ORACLE_BIT(TCP_SEND_ABORT));
	judge_call(TCP_ESTABLISHED, TCP_EVENT_TIMEOUT, 0, 0, 100, &verdict);
	assert_int_equal(verdict.choice[0].states, ORACLE_BIT(TCP_ESTABLISHED));
	assert_int_equal(verdict.choice[0].flags, TCP_CONN_RETRANSMIT);
}

static void
an_abort_resets_the_peer_only_where_it_may_still_send(void **unused)
{
	struct oracle_verdict verdict;

	(void)unused;
	for (enum tcp_state state = TCP_LISTEN; state < TCP_STATES; state++) {
		bool resets = state == TCP_SYN_RCVD || state == TCP_ESTABLISHED ||
			      state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2 ||
			      state == TCP_CLOSE_WAIT;

		judge_call(state, TCP_EVENT_ABORT, 0, 0, 100, &verdict);
		assert_int_equal(verdict.count, 1);
		assert_int_equal(verdict.choice[0].states, ORACLE_BIT(TCP_CLOSED));
		assert_int_equal(verdict.choice[0].sends,
				ORACLE_BIT(resets ? TCP_SEND_ABORT : TCP_SEND_NOTHING));
	}
}

static void
a_close_sends_one_fin_and_never_a_second(void **unused)
{
	struct oracle_verdict verdict;

	(void)unused;
	judge_call(TCP_ESTABLISHED, TCP_EVENT_CLOSE, 0, 0, 0, &verdict);
	assert_int_equal(verdict.choice[0].states, ORACLE_BIT(TCP_FIN_WAIT_1));
	judge_call(TCP_CLOSE_WAIT, TCP_EVENT_CLOSE, 0, 0, 0, &verdict);
	assert_int_equal(verdict.choice[0].states, ORACLE_BIT(TCP_LAST_ACK));
	for (enum tcp_state state = TCP_FIN_WAIT_1; state < TCP_STATES; state++) {
		if (state == TCP_CLOSE_WAIT)
			continue;
		judge_call(state, TCP_EVENT_CLOSE, 0, 0, 100, &verdict);
		assert_int_equal(verdict.count, 1);
		assert_int_equal(verdict.choice[0].states, ORACLE_BIT(state));
		assert_int_equal(verdict.choice[0].sends, ORACLE_BIT(TCP_SEND_NOTHING));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_row_is_permitted),
			cmocka_unit_test(a_bent_answer_is_refused),
			cmocka_unit_test(
					a_syn_is_sent_again_with_doubled_delays_until_its_retries_are_used_up),
			cmocka_unit_test(
					a_timeout_ends_time_wait_and_fin_wait_2_and_aborts_an_idle_connection),
			cmocka_unit_test(an_abort_resets_the_peer_only_where_it_may_still_send),
			cmocka_unit_test(a_close_sends_one_fin_and_never_a_second),
	};

	return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
