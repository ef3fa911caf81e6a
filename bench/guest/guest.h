/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_GUEST_GUEST_H
#define BENCH_GUEST_GUEST_H

/*
 * libvsguest: a VMM and a virtio-net driver in one library, for tests and as a load generator.
 *
 * It plays the front end of vhost-user: it owns the guest's memory, brings the rings up over the
 * socket and then drives them as a virtio-net driver would. There is no global state: any number
 * of guests live in one process. One guest is used by one thread at a time, except that its queue
 * pairs may be driven by different threads once it is started.
 *
 * Layers, each usable alone:
 *   chan   the socket: listen, accept, connect, messages with descriptors, time limits
 *   mem    guest memory: regions backed by files, an allocator, address translation
 *   ring   driver side of one split ring
 *   net    frames over a pair of rings
 *   guest  bring-up and life cycle
 *
 * All functions return 0 (or a count where it says so) or -errno. Time limits are in milliseconds;
 * a negative one means no limit, 0 means do not wait. Every structure is open on purpose: a test
 * that plays a hostile guest writes where it likes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "bench/guest/proto.h"

#define VSG_API __attribute__((visibility("default")))

#define VSG_MAX_REGIONS 16   /* the protocol allows 8; more are for tests of the limit */
#define VSG_MAX_SHAPE 32     /* descriptors of one receive chain */
#define VSG_MAX_SEGS 1024    /* descriptors of one transmitted chain */
#define VSG_MAX_FDS 253      /* what Linux passes in one message */
#define VSG_MAX_PAYLOAD 4096 /* of a message received */
#define VSG_MAX_PAIRS 64
#define VSG_PATH_MAX 108

/** Sizes of chan, region_cfg, region, mem, ring, cfg, pair, guest and msg, ended by 0. */
VSG_API extern const uint32_t vsg_abi[];

/* ---- chan: the socket ------------------------------------------------------------------ */

/** One connection, and the listening socket behind it if the front end is the server. */
struct vsg_chan {
	int fd;        /* -1: not connected */
	int listen_fd; /* -1: client */
	char path[VSG_PATH_MAX];
};

/** A received message. @fds belong to the receiver. */
struct vsg_msg {
	struct vsg_wire_hdr hdr;
	uint8_t payload[VSG_MAX_PAYLOAD];
	uint32_t n_fds;
	int fds[VSG_MAX_FDS];
};

VSG_API void vsg_chan_init(struct vsg_chan *chan);
VSG_API int vsg_chan_listen(struct vsg_chan *chan, const char *path);
VSG_API int vsg_chan_accept(struct vsg_chan *chan, int timeout_ms);
VSG_API int vsg_chan_connect(struct vsg_chan *chan, const char *path, int timeout_ms);
VSG_API void vsg_chan_hangup(struct vsg_chan *chan);
VSG_API void vsg_chan_close(struct vsg_chan *chan);
VSG_API bool vsg_chan_is_alive(const struct vsg_chan *chan);
VSG_API int vsg_chan_send(struct vsg_chan *chan, const void *buf, size_t len, const int *fds,
			  uint32_t n_fds, int timeout_ms);
VSG_API int vsg_chan_recv(struct vsg_chan *chan, struct vsg_msg *ret_msg, int timeout_ms);
VSG_API void vsg_msg_close_fds(struct vsg_msg *msg);

/* ---- mem: guest memory ----------------------------------------------------------------- */

/** What stands behind a region. */
enum vsg_mem_kind {
	VSG_MEM_MEMFD,   /* memfd, size may change */
	VSG_MEM_SEALED,  /* memfd, sealed against shrinking and growing */
	VSG_MEM_NOWRITE, /* memfd, sealed against new writable mappings */
	VSG_MEM_HUGE,    /* memfd of 2 MiB pages */
	VSG_MEM_FILE,    /* unlinked file in $TMPDIR or /tmp */
	VSG_MEM_RDONLY,  /* memfd, passed as a read-only descriptor */
	VSG_MEM_SAME,    /* the file of region number @fd, which stands before this one */
	VSG_MEM_FD,      /* descriptor @fd of the caller (duplicated), mapped if it can be */
};

/** Map our side MAP_PRIVATE: what the guest writes never reaches the back end. */
#define VSG_MEM_F_PRIVATE 1u

struct vsg_region_cfg {
	uint64_t gpa;         /* guest-physical address */
	uint64_t size;        /* as told to the back end */
	uint64_t mmap_offset; /* of the region in its file */
	uint64_t file_size;   /* 0: mmap_offset + size; less makes a region beyond its file */
	uint64_t uva;         /* user address told to the back end; 0: our own mapping */
	int32_t fd;
	uint16_t kind; /* enum vsg_mem_kind */
	uint16_t flags;
};

struct vsg_region {
	struct vsg_region_cfg cfg; /* uva filled in */
	uint8_t *map;              /* our mapping of gpa..gpa+usable, NULL if there is none */
	uint64_t usable;           /* bytes of it that stand on the file */
	uint64_t next;             /* allocator: first free byte */
	int32_t fd;
	uint32_t pad;
};

struct vsg_mem {
	struct vsg_region region[VSG_MAX_REGIONS];
	uint32_t n;
	uint32_t turn; /* region the next spread allocation starts at */
};

#define VSG_MEM_ANY (-1)    /* first region with room */
#define VSG_MEM_SPREAD (-2) /* regions in turn */

VSG_API int vsg_mem_create(struct vsg_mem *mem, const struct vsg_region_cfg *cfg, uint32_t n);
VSG_API int vsg_mem_add(struct vsg_mem *mem, const struct vsg_region_cfg *cfg);
VSG_API void vsg_mem_destroy(struct vsg_mem *mem);
VSG_API int vsg_mem_alloc(struct vsg_mem *mem, int where, uint64_t size, uint64_t align,
			  uint64_t *ret_gpa, void **ret_ptr);
VSG_API void vsg_mem_reset(struct vsg_mem *mem);
VSG_API void *vsg_mem_ptr(const struct vsg_mem *mem, uint64_t gpa, uint64_t len);
VSG_API uint64_t vsg_mem_uva(const struct vsg_mem *mem, uint64_t gpa);
VSG_API int vsg_mem_truncate(struct vsg_mem *mem, uint32_t region, uint64_t file_size);

/* ---- ring: driver side of one split ring ----------------------------------------------- */

/** One descriptor of a chain to be built. */
struct vsg_seg {
	uint64_t gpa;
	uint32_t len;
	uint32_t flags; /* VRING_DESC_F_WRITE or 0 */
};

/** Driver's note on a chain, at the index of its head. */
struct vsg_chain {
	uint16_t n_desc;   /* descriptors of the ring it holds; 0: head of nothing */
	uint16_t inflight; /* the back end has it */
	uint32_t cookie;
};

/** A chain handed back by the back end. */
struct vsg_used {
	uint16_t head;
	uint16_t pad;
	uint32_t len;
	uint32_t cookie;
};

enum vsg_wait {
	VSG_WAIT_CALL, /* ask for a call and sleep on it */
	VSG_WAIT_POLL, /* never ask for a call, look at the ring until the deadline */
};

struct vsg_ring {
	struct vring_desc *desc; /* in guest memory */
	struct vring_avail *avail;
	struct vring_used *used;
	uint64_t desc_gpa;
	uint64_t avail_gpa;
	uint64_t used_gpa;
	uint16_t *next; /* private free list */
	struct vsg_chain *chain;
	uint32_t index;     /* number in the protocol: 2n to the guest, 2n+1 from the guest */
	uint32_t size;      /* a power of two */
	uint32_t event_idx; /* negotiated */
	uint32_t wait;      /* enum vsg_wait */
	uint16_t free_head;
	uint16_t n_free;
	uint16_t avail_idx; /* next one to publish */
	uint16_t published; /* what the back end was shown */
	uint16_t kicked;    /* index at the last decision on a kick */
	uint16_t last_used; /* first one not taken back */
	int32_t kick_fd;
	int32_t call_fd;
	int32_t err_fd;
	int32_t base; /* index of an orderly stop, -1: take the used index */
	uint64_t kicks;
	uint64_t kicks_saved;
	uint64_t calls;    /* sleeps ended by a call */
	uint64_t bad_used; /* used elements that name no chain in flight */
};

VSG_API int vsg_ring_create(struct vsg_ring *ring, struct vsg_mem *mem, uint32_t size,
			    uint16_t start_index);
VSG_API void vsg_ring_destroy(struct vsg_ring *ring);
VSG_API void vsg_ring_shuffle(struct vsg_ring *ring, uint32_t seed);
VSG_API int vsg_ring_add(struct vsg_ring *ring, const struct vsg_seg *seg, uint32_t n,
			 uint32_t cookie);
VSG_API int vsg_ring_add_indirect(struct vsg_ring *ring, const struct vsg_seg *seg, uint32_t n,
				  struct vring_desc *table, uint64_t table_gpa, uint32_t cookie);
VSG_API void vsg_ring_post(struct vsg_ring *ring, uint16_t head);
VSG_API void vsg_ring_free(struct vsg_ring *ring, uint16_t head);
VSG_API void vsg_ring_publish(struct vsg_ring *ring);
VSG_API int vsg_ring_kick(struct vsg_ring *ring);
VSG_API int vsg_ring_kick_force(struct vsg_ring *ring);
VSG_API uint32_t vsg_ring_pending(const struct vsg_ring *ring);
VSG_API int vsg_ring_peek(struct vsg_ring *ring, uint32_t ahead, struct vsg_used *ret_used);
VSG_API void vsg_ring_take(struct vsg_ring *ring, uint16_t head);
VSG_API int vsg_ring_harvest(struct vsg_ring *ring, struct vsg_used *used, uint32_t max);
VSG_API int vsg_ring_wait(struct vsg_ring *ring, uint32_t want, int peer_fd, int timeout_ms);
VSG_API void vsg_ring_set_desc(struct vsg_ring *ring, uint32_t i, uint64_t addr, uint32_t len,
			       uint16_t flags, uint16_t next);
VSG_API void vsg_ring_set_avail(struct vsg_ring *ring, uint16_t idx);

/* ---- guest: configuration and life cycle ----------------------------------------------- */

/** Stands for the length of the virtio header in a shape or a split. */
#define VSG_LEN_HDR 0xffffffffu

/** A driver whose habits are well known; the values are those of vsg_cfg_profile(). */
enum vsg_profile {
	VSG_PROFILE_LINUX,  /* VERSION_1, MRG_RXBUF, INDIRECT_DESC, EVENT_IDX; one buffer */
	VSG_PROFILE_LEGACY, /* none of them: 10-byte header in a descriptor of its own */
	VSG_PROFILE_NETKVM, /* as Linux, but header apart, and indirect in both directions */
	VSG_PROFILE_SMALL,  /* VERSION_1 without mergeable buffers: 12-byte header */
};

/** Which requests ask for an acknowledgement once REPLY_ACK is negotiated. */
enum vsg_reply_mode {
	VSG_REPLY_NONE,
	VSG_REPLY_MEM, /* SET_MEM_TABLE only, the habit of QEMU */
	VSG_REPLY_ALL,
};

#define VSG_F_CLIENT (1u << 0)        /* connect instead of listening */
#define VSG_F_RX_INDIRECT (1u << 1)   /* receive chains in indirect tables */
#define VSG_F_TX_INDIRECT (1u << 2)   /* default of vsg_net_send() */
#define VSG_F_TX_HDR_APART (1u << 3)  /* header in a descriptor of its own */
#define VSG_F_SHUFFLE (1u << 4)       /* descriptors in no order */
#define VSG_F_SPREAD (1u << 5)        /* buffers over all regions in turn */
#define VSG_F_POLL (1u << 6)          /* VSG_WAIT_POLL */
#define VSG_F_NO_START_KICK (1u << 7) /* no kick when a ring starts */
#define VSG_F_PARTIAL_OK (1u << 8)    /* start although required features are missing */

struct vsg_cfg {
	uint64_t features;      /* wanted; taken as far as offered */
	uint64_t features_need; /* the start fails without them */
	uint64_t proto_features;
	uint64_t mem_size; /* 0: what the rings and buffers need; unused with regions */
	uint64_t gpa_base;
	uint32_t flags;      /* VSG_F_* */
	uint32_t reply_mode; /* enum vsg_reply_mode */
	uint32_t queue_pairs;
	uint32_t enable_pairs; /* pairs enabled at the start; 0: all */
	uint32_t ring_size;
	uint32_t start_index;  /* ring indices start here instead of 0 */
	uint32_t tx_buf_len;   /* longest header + frame */
	uint32_t indirect_max; /* entries of an indirect table, VSG_MAX_SEGS at most */
	uint32_t rx_chains;    /* 0: as many as the ring holds */
	uint32_t n_rx_shape;
	uint32_t rx_shape[VSG_MAX_SHAPE]; /* bytes of each descriptor of a receive chain */
	uint32_t seed;                    /* of VSG_F_SHUFFLE */
	int32_t timeout_ms;               /* of one request */
	uint32_t n_regions;
	struct vsg_region_cfg regions[VSG_MAX_REGIONS];
	char path[VSG_PATH_MAX];
};

/** Buffer of a chain. */
struct vsg_slot {
	uint8_t *ptr;
	uint64_t gpa;
	struct vring_desc *table; /* indirect table, NULL if there is none */
	uint64_t table_gpa;
};

/** One queue pair: rings and buffers. */
struct vsg_pair {
	struct vsg_ring rx;       /* to the guest */
	struct vsg_ring tx;       /* from the guest */
	struct vsg_slot *rx_slot; /* by cookie */
	struct vsg_slot *tx_slot; /* by head */
	uint16_t *held;           /* receive heads between rx_burst and rx_release */
	uint16_t *stock;          /* prefilled transmit heads not in flight */
	uint32_t n_held;
	uint32_t n_stock;
	uint64_t tx_frames;
	uint64_t rx_frames;
	uint64_t rx_bufs;
	struct virtio_net_hdr_v1 last_hdr; /* of the last frame received by vsg_net_recv() */
};

struct vsg_guest {
	struct vsg_cfg cfg;
	struct vsg_chan chan;
	struct vsg_mem mem;
	struct vsg_pair *pair;
	uint64_t offered;  /* features of the back end */
	uint64_t features; /* negotiated */
	uint64_t proto_offered;
	uint64_t proto_features;
	uint64_t queue_num; /* most pairs the back end takes, if it said so */
	uint32_t hdr_len;   /* 10 or 12 */
	uint32_t n_rx_seg;  /* rx_shape with the header's length filled in */
	uint32_t rx_seg[VSG_MAX_SHAPE];
	uint32_t rx_off[VSG_MAX_SHAPE]; /* of each one in its slot */
	uint32_t rx_stride;
	uint32_t n_rx; /* receive chains of each pair */
	uint32_t built;
	uint32_t started;
	uint32_t starts; /* bring-ups so far */
	int32_t log_fd;  /* dirty log, -1: none */
	uint8_t *log;
	uint64_t log_size;
};

VSG_API int vsg_cfg_profile(struct vsg_cfg *cfg, enum vsg_profile profile);
VSG_API int vsg_guest_new(const struct vsg_cfg *cfg, struct vsg_guest **ret_guest);
VSG_API void vsg_guest_free(struct vsg_guest *guest);

VSG_API int vsg_guest_start(struct vsg_guest *guest, int timeout_ms);
VSG_API int vsg_guest_stop(struct vsg_guest *guest);
VSG_API int vsg_guest_reconnect(struct vsg_guest *guest, int timeout_ms);

/* The steps of a start, for tests that want another order. */
VSG_API int vsg_guest_connect(struct vsg_guest *guest, int timeout_ms);
VSG_API void vsg_guest_hangup(struct vsg_guest *guest);
VSG_API int vsg_guest_negotiate(struct vsg_guest *guest);
VSG_API int vsg_guest_build(struct vsg_guest *guest);
VSG_API void vsg_guest_unbuild(struct vsg_guest *guest);
VSG_API int vsg_guest_set_mem_table(struct vsg_guest *guest);
VSG_API int vsg_guest_ring_start(struct vsg_guest *guest, uint32_t ring, uint16_t base);
VSG_API int vsg_guest_ring_enable(struct vsg_guest *guest, uint32_t ring, uint32_t on);
VSG_API int vsg_guest_ring_stop(struct vsg_guest *guest, uint32_t ring, uint32_t *ret_base);
VSG_API struct vsg_ring *vsg_guest_ring(struct vsg_guest *guest, uint32_t ring);
VSG_API int vsg_guest_request(struct vsg_guest *guest, uint32_t request, const void *payload,
			      uint32_t size, const int *fds, uint32_t n_fds);
VSG_API int vsg_guest_query(struct vsg_guest *guest, uint32_t request, uint64_t *ret_value);
VSG_API int vsg_guest_log_start(struct vsg_guest *guest);
VSG_API int vsg_guest_log_stop(struct vsg_guest *guest);

/* ---- net: frames ----------------------------------------------------------------------- */

#define VSG_SEND_INDIRECT 1u /* the chain goes into an indirect table */
#define VSG_SEND_DIRECT 2u   /* ... or not, whatever the configuration says */
#define VSG_SEND_NO_KICK 4u

/** A frame seen in place: valid until vsg_net_rx_release(). */
struct vsg_view {
	uint8_t *data;  /* first byte after the virtio header */
	uint32_t first; /* bytes at @data */
	uint32_t len;   /* of the whole frame */
	uint16_t n_bufs;
	uint16_t pad;
};

VSG_API int vsg_net_fill(struct vsg_guest *guest, uint32_t pair);
VSG_API int vsg_net_send(struct vsg_guest *guest, uint32_t pair,
			 const struct virtio_net_hdr_v1 *hdr, const void *frame, uint32_t len,
			 const uint32_t *split, uint32_t n_split, uint32_t flags);
VSG_API int vsg_net_reap(struct vsg_guest *guest, uint32_t pair);
VSG_API int vsg_net_flush(struct vsg_guest *guest, uint32_t pair, int timeout_ms);
VSG_API int vsg_net_recv(struct vsg_guest *guest, uint32_t pair, void *buf, uint32_t cap,
			 int timeout_ms);
VSG_API int vsg_net_check_canaries(const struct vsg_guest *guest, uint32_t pair);

VSG_API int vsg_net_tx_burst(struct vsg_guest *guest, uint32_t pair, const struct iovec *frame,
			     uint32_t n);
VSG_API int vsg_net_tx_prefill(struct vsg_guest *guest, uint32_t pair, const struct iovec *frame,
			       uint32_t n);
VSG_API int vsg_net_tx_repost(struct vsg_guest *guest, uint32_t pair, uint32_t max);
VSG_API int vsg_net_rx_burst(struct vsg_guest *guest, uint32_t pair, struct vsg_view *view,
			     uint32_t max);
VSG_API void vsg_net_rx_release(struct vsg_guest *guest, uint32_t pair);
VSG_API int vsg_net_rx_drain(struct vsg_guest *guest, uint32_t pair, uint32_t max,
			     uint64_t *ret_bytes);

/* ---- race: a writer beside the back end ------------------------------------------------ */

struct vsg_race;

VSG_API int vsg_race_start(void *addr, uint32_t width, const uint64_t *value, uint32_t n,
			   struct vsg_race **ret_race);
VSG_API uint64_t vsg_race_stop(struct vsg_race *race);

#endif /* BENCH_GUEST_GUEST_H */
