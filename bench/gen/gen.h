/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_GEN_GEN_H
#define BENCH_GEN_GEN_H

/*
 * vsgen: a load generator of many guests in one thread.
 *
 * Files: opt (command line), setup (guests up), frame (what frames look like), flow (who sends to
 * whom, sequence numbers), stamp (frames in place), stream (TCP segments that may be merged), tx
 * and rx (guests' data path), iface (stations on interfaces), load (pacing and the loop), trial
 * (windows and totals), report (JSON out), command (JSON in), hist (latency), probe (cache line
 * between two CPUs), null (back end that does nothing), clock (time, CPUs).
 *
 * What sends and receives is a guest, or an interface; "guest" with a number means either.
 * A frame carries a stamp behind its headers. All times are TSC cycles unless a name says ns.
 */

#include "bench/guest/guest.h"

#include <jansson.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define GEN_MAX_GUESTS 384
#define GEN_MAX_IFS 16
#define GEN_MAX_MACS (1u << 20)
#define GEN_MAX_WINDOWS 1000
#define GEN_MIN_FRAME 64u
#define GEN_MAX_FRAME 9000u
#define GEN_MIN_TSO 1515u
#define GEN_TSO_FRAME 65226u /* 45 segments of 1448 and headers: the longest that Linux makes */
#define GEN_MAX_TSO 65549u   /* Ethernet header and an IP packet of 65535 bytes */
#define GEN_HEAD 96u         /* headers and stamp of the longest kind, rounded up */
#define GEN_MIN_STREAM 128u
#define GEN_STREAM_FRAME 1514u
#define GEN_MAX_STREAMS 1024u
#define GEN_MAX_FLOWS 65535u
#define GEN_TURN 32u      /* frames of a flow that are sent at a time */
#define GEN_PIECE 4096u   /* of a long frame, one descriptor */
#define GEN_MAX_DESCS 20u /* of one chain */
#define GEN_BURST 64u
#define GEN_MAX_BUFS 256u /* of one burst of received frames */
#define GEN_MAX_GAPS 32u
#define GEN_MAGIC 0x5647
#define GEN_LEARN_TRIAL 0u /* in the stamp of frames that belong to no trial */

enum gen_flow_kind {
	GEN_FLOW_PAIRS,      /* 0 with 1, 2 with 3, ... */
	GEN_FLOW_ALL_TO_ONE, /* 1, 2, ... to 0 */
	GEN_FLOW_ONE_TO_ALL, /* 0 to 1, 2, ... */
};

enum gen_touch {
	GEN_TOUCH_ALL,    /* write and read every byte */
	GEN_TOUCH_HEADER, /* write and read headers and stamp */
	GEN_TOUCH_NONE,   /* publish prefilled buffers again, read nothing */
};

enum gen_size {
	GEN_SIZE_FIXED,
	GEN_SIZE_IMIX,
	GEN_SIZE_TSO,
	GEN_SIZE_STREAM, /* TCP segments, whole; the receiver may get them merged */
};

struct gen_opt {
	const char *socket; /* with one %u for the number of the guest */
	uint32_t guests;    /* interfaces included, which have the last numbers */
	uint32_t n_ifs;
	uint32_t quiet; /* the last so many of them take no part */
	uint32_t pairs;
	uint32_t ring;
	uint32_t macs;
	uint32_t size;    /* bytes without FCS; of all but GEN_SIZE_IMIX */
	uint32_t streams; /* flows from one queue pair of a guest to another guest */
	uint32_t turn;    /* closed loop: frames of a flow that are sent at a time */
	uint32_t check;
	uint32_t timeout_s;
	const char *interface[GEN_MAX_IFS];
	int32_t cpu; /* -1: not pinned */
	int32_t null_cpu;
	enum gen_flow_kind flow;
	enum gen_touch touch;
	enum gen_size size_kind;
	enum vsg_profile profile;
	bool connect;
	bool one_way;
	bool take_tso;
	bool null;
	bool no_mergeable;
	bool no_indirect;
	bool no_event_idx;
	bool no_huge;
};

/** Behind the UDP or TCP header; 22 bytes fill a frame of 64. In the machine's byte order. */
struct gen_stamp {
	uint16_t magic;
	uint16_t flow;
	uint32_t seq;
	uint64_t tsc;
	uint32_t trial;
	uint16_t spare;
} __attribute__((packed));

/** Sequence numbers @from..@to-1 that have not arrived. */
struct gen_gap {
	uint32_t from;
	uint32_t to;
};

/** Frames from one queue pair of a guest to another guest; one of several (--streams). */
struct gen_flow {
	uint32_t tx_seq;   /* of the next frame sent */
	uint32_t rx_next;  /* of the next one expected */
	uint32_t seq_mask; /* 0: frames carry no sequence numbers worth looking at */
	uint16_t id;
	uint16_t dst;
	uint64_t sent;
	uint64_t received; /* each frame once */
	int64_t lost;      /* missing so far; one that comes late is taken off */
	uint64_t reordered;
	uint64_t duplicates;
	uint64_t not_sent;
	struct gen_lane *lane;
	uint8_t (*head)[GEN_HEAD]; /* of each size */
	uint32_t size_at;
	uint32_t src_mac;
	uint32_t dst_mac;
	uint16_t src;
	uint16_t n_gaps; /* ever, modulo 65536 */
	uint32_t seen_next;
	uint64_t seen_tsc; /* when rx_next was last seen to move */
	uint32_t ip_sum;   /* GEN_SIZE_STREAM: of what is the same in all its frames */
	uint32_t tcp_sum;
	struct gen_gap gap[GEN_MAX_GAPS];
} __attribute__((aligned(64)));

/** How a transmitted frame lies in descriptors. */
enum gen_shape {
	GEN_SHAPE_PLAIN,    /* header and frame in one */
	GEN_SHAPE_APART,    /* one each */
	GEN_SHAPE_INDIRECT, /* one each, in a table */
	GEN_SHAPE_PIECES,   /* virtio and other headers, then pieces of GEN_PIECE */
};

struct gen;
struct gen_if;
struct gen_lane;

/** What drives a lane. */
struct gen_lane_ops {
	/* Send up to @n frames of a flow; returns their number, or -errno. */
	int (*send)(struct gen *g, struct gen_flow *f, uint32_t n, uint64_t now);
	/* Receive a burst; returns its frames, or -errno. */
	int (*poll)(struct gen *g, struct gen_lane *l, uint64_t now);
	/* Whether the other side is away. */
	bool (*is_down)(const struct gen_lane *l);
};

/** One queue pair of one guest, or an interface. */
struct gen_lane {
	const struct gen_lane_ops *ops;
	struct vsg_guest *guest; /* NULL: interface */
	struct vsg_pair *pair;
	struct gen_if *nic; /* NULL: guest */
	uint16_t queue;
	struct gen_flow *only; /* the one flow that arrives here, NULL if there are more */
	uint16_t number;       /* of the guest */
	bool quiet;
	bool apart;    /* GEN_SHAPE_PIECES: the virtio header has a descriptor of its own */
	bool indirect; /* GEN_SHAPE_PIECES: in a table */
	enum gen_shape shape;
	uint32_t rx_data; /* offset of a frame's first byte in a slot */
};

/** Sums since the start of the trial. */
struct gen_count {
	uint64_t sent;
	uint64_t received;
	int64_t lost;
	uint64_t reordered;
	uint64_t duplicates;
	uint64_t bad;
	uint64_t not_sent;
	uint64_t late;
	uint64_t strays;
	uint64_t overruns;
	uint64_t bytes;
	uint64_t busy;
	uint64_t rx_busy;
	uint64_t steal_ticks;
	uint64_t tsc;
};

#define GEN_HIST_SUB 32u /* buckets of an octave */
#define GEN_HIST_SIZE (44u * GEN_HIST_SUB)

struct gen_load {
	uint32_t window; /* closed loop: frames in flight of each flow; 0: open loop */
	double rate;     /* open loop: frames per second of all flows */
	double per_tsc;
	uint64_t start;
	uint64_t paced; /* frames that fell due and were sent or given up */
	uint32_t batch;
	uint32_t turn; /* flow that comes next */
};

struct gen_probe;
struct gen_null;

struct gen {
	struct gen_opt opt;
	struct vsg_guest *guest[GEN_MAX_GUESTS];
	struct gen_lane *lane;
	struct gen_flow *flow;
	uint32_t n_lanes;
	uint32_t n_flows;
	uint32_t active; /* guests that take part */
	bool huge;
	bool mergeable;
	bool revive;      /* bring guests up again whose switch went away */
	uint32_t rx_room; /* bytes of a receive chain, virtio header included */
	uint32_t rx_max;  /* buffers looked at in one burst */
	uint32_t hdr_len; /* virtio header */
	uint32_t stamp_at;
	uint32_t head_len;
	uint32_t n_sizes;
	uint32_t size[3];
	uint8_t size_order[48];
	uint32_t n_order;
	struct virtio_net_hdr_v1 vhdr;
	uint8_t *pattern;
	uint8_t (*heads)[GEN_HEAD];

	uint32_t trial;
	uint32_t check_left;
	bool latency;
	struct gen_load load;
	uint64_t busy;
	uint64_t rx_busy; /* of it, for receiving */
	uint64_t bad;
	uint64_t strays;
	uint64_t late;  /* of the frames not sent: the generator had no time */
	uint64_t bytes; /* of frames received; GEN_SIZE_STREAM: of their payload */
	uint64_t sink;  /* what reading came to, so that it is not left out */
	uint64_t timeouts;
	uint64_t housekept;
	uint64_t arrived; /* when a frame last came, 0: never */
	uint64_t silence; /* longest time without one */
	uint64_t revived; /* guests brought up again */
	uint64_t received[GEN_MAX_GUESTS];
	uint64_t hist[GEN_HIST_SIZE];
	double hz; /* of the TSC */
	struct gen_probe *probe;
	struct gen_null *null;
};

/* opt */
int gen_opt_parse(struct gen_opt *opt, int argc, char **argv);
const char *gen_opt_size(const struct gen_opt *opt, char *buf, size_t cap);

/* clock */
double gen_clock_calibrate(void);
int gen_clock_pin(int cpu);
int gen_clock_spawn(pthread_t *ret_thread, int cpu, int priority, void *(*work)(void *), void *arg);
uint64_t gen_clock_steal(void);
double gen_clock_steal_share(uint64_t ticks, double seconds);
extern volatile int gen_stop;

/** Whether guests want frames that are still to be cut up, to send or to receive. */
static inline bool gen_opt_tso(const struct gen_opt *opt)
{
	return opt->size_kind >= GEN_SIZE_TSO || opt->take_tso;
}

/** Stations that are guests; the others are interfaces. */
static inline uint32_t gen_opt_vms(const struct gen_opt *opt)
{
	return opt->guests - opt->n_ifs;
}

static inline uint64_t gen_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/* setup */
int gen_setup_open(struct gen *g);
int gen_setup_start(struct gen *g);
int gen_setup_reconnect(struct gen *g);
void gen_setup_revive(struct gen *g);
void gen_setup_close(struct gen *g);

/* frame */
int gen_frame_init(struct gen *g);
void gen_frame_heads(struct gen *g, struct gen_flow *f);
void gen_frame_mac(uint32_t guest, uint32_t mac, uint8_t *ret_mac);
bool gen_frame_is_good(const struct gen *g, const struct gen_flow *f, const uint8_t *frame,
		       uint32_t len);
bool gen_frame_owes(const struct gen *g, const uint8_t *vhdr);
uint32_t gen_frame_bufs(const struct gen *g);

/* stream */
void gen_stream_sums(const struct gen *g, struct gen_flow *f);
void gen_stream_finish(const struct gen *g, const struct gen_flow *f, uint8_t *frame, uint32_t seq,
		       uint64_t now);
void gen_stream_note(struct gen *g, const struct gen_lane *l, struct gen_flow *f,
		     const uint8_t *vhdr, uint32_t len);
bool gen_stream_is_good(const struct gen *g, const struct gen_flow *f, const uint8_t *vhdr,
			const uint8_t *frame, uint32_t len);

/* flow */
int gen_flow_init(struct gen *g);
void gen_flow_reset(struct gen *g);
void gen_flow_count(struct gen *g, struct gen_count *ret_count);
void gen_flow_late(struct gen_flow *f, uint32_t seq, uint64_t *bad);
void gen_flow_give_up(struct gen *g, struct gen_flow *f);
double gen_flow_jain(const struct gen *g, const uint64_t *before);
uint64_t gen_flow_inflight(const struct gen *g);

/* tx; gen_guest_ops drives the lanes of guests */
extern const struct gen_lane_ops gen_guest_ops;
int gen_tx_init(struct gen *g);
int gen_tx_reap(struct gen_lane *l);
int gen_tx_prefill(struct gen *g);
int gen_tx_send(struct gen *g, struct gen_flow *f, uint32_t n, uint64_t now);

/* rx */
int gen_rx_poll(struct gen *g, struct gen_lane *l, uint64_t now);
void gen_rx_null_fill(struct gen *g);

/* iface */
int gen_if_open(struct gen *g, struct gen_lane *l, const char *name);
uint64_t gen_if_overruns(struct gen *g);
void gen_if_close(struct gen_lane *l);

/* load */
int gen_load_run(struct gen *g, uint64_t until);
int gen_load_settle(struct gen *g, double seconds);
int gen_load_learn(struct gen *g, uint32_t rate, uint64_t *ret_frames);

/* hist */
void gen_hist_add(uint64_t *hist, uint64_t cycles);
double gen_hist_quantile(const uint64_t *hist, double q);

/* probe */
#define GEN_PROBE_MAX 64
int gen_probe_start(struct gen *g, int cpu_a, int cpu_b);
void gen_probe_stop(struct gen *g);
uint32_t gen_probe_take(struct gen *g, uint64_t from, uint64_t to, double *ret_ns);

/* null */
int gen_null_start(struct gen *g);
void gen_null_stop(struct gen *g);

/* trial */
struct gen_trial {
	uint32_t closed; /* 0: open loop */
	double rate;
	uint32_t warmup_ms;
	uint32_t windows;
	uint32_t window_ms;
	bool latency;
	bool revive;
	int probe[2]; /* CPUs, -1: no probe */
};

int gen_trial_run(struct gen *g, const struct gen_trial *t);

/* report */
void gen_report(json_t *line);
void gen_report_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void gen_report_ready(const struct gen *g, const char *event);
json_t *gen_report_counts(const struct gen_count *a, const struct gen_count *b, double hz);
json_t *gen_report_received(const struct gen *g, const uint64_t *before);

/* command */
int gen_command_loop(struct gen *g);

#endif /* BENCH_GEN_GEN_H */
