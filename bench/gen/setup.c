/* SPDX-License-Identifier: BSD-3-Clause */
/* Guests up and down. */
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/guest/layout.h"

#define BIT(n) (1ull << (n))
#define RX_LINUX 1536u
#define RX_PAGE 4096u

static const uint64_t tso_need = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
				 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO4);

static uint32_t longest(const struct gen_opt *opt)
{
	return opt->size_kind == GEN_SIZE_IMIX ? 1518 : opt->size;
}

/* Length of the data part of a receive buffer. */
static uint32_t rx_room(const struct gen *g)
{
	const struct gen_opt *opt = &g->opt;
	uint32_t usual = RX_LINUX, most = longest(opt) < 1518 ? 1518 : longest(opt);

	if (opt->profile == VSG_PROFILE_NETKVM || gen_opt_tso(opt))
		usual = RX_PAGE;
	if (g->mergeable)
		return usual;
	/* Without merging every buffer must hold the longest frame. */
	most += 12;
	return most < usual ? usual : most;
}

static void fill_cfg(struct gen *g, struct vsg_cfg *cfg)
{
	const struct gen_opt *opt = &g->opt;

	vsg_cfg_profile(cfg, opt->profile);
	if (opt->no_mergeable)
		cfg->features &= ~BIT(VIRTIO_NET_F_MRG_RXBUF);
	if (opt->no_indirect) {
		cfg->features &= ~BIT(VIRTIO_RING_F_INDIRECT_DESC);
		cfg->flags &= ~(VSG_F_RX_INDIRECT | VSG_F_TX_INDIRECT);
	}
	if (opt->no_event_idx)
		cfg->features &= ~BIT(VIRTIO_RING_F_EVENT_IDX);
	if (gen_opt_tso(opt))
		cfg->features |= tso_need;
	cfg->flags |= VSG_F_POLL | (opt->connect || opt->null ? VSG_F_CLIENT : 0);
	cfg->queue_pairs = opt->pairs;
	cfg->ring_size = opt->ring;
	cfg->indirect_max = opt->size_kind == GEN_SIZE_TSO ? GEN_MAX_DESCS : 2;
	cfg->tx_buf_len = longest(opt) + 12;
	g->mergeable = (cfg->features & BIT(VIRTIO_NET_F_MRG_RXBUF)) != 0;
	cfg->rx_shape[cfg->n_rx_shape - 1] = rx_room(g);
}

static int new_guest(struct gen *g, struct vsg_cfg *cfg, uint32_t i)
{
	int n = 0;

	if (!g->opt.null) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		/* Options were judged: one %u and nothing else. */
		n = snprintf(cfg->path, sizeof(cfg->path), g->opt.socket, i);
#pragma GCC diagnostic pop
	}
	if (n < 0 || (size_t)n >= sizeof(cfg->path))
		return -ENAMETOOLONG;
	cfg->n_regions = 0;
	if (g->huge) {
		cfg->n_regions = 1;
		cfg->regions[0] = (struct vsg_region_cfg){
			.kind = VSG_MEM_HUGE,
			.size = vsg_layout_need(cfg),
		};
	}
	return vsg_guest_new(cfg, &g->guest[i]);
}

static int new_guests(struct gen *g, struct vsg_cfg *cfg, uint32_t *ret_failed)
{
	uint32_t i;
	int err;

	for (i = 0; i < gen_opt_vms(&g->opt); i++) {
		err = new_guest(g, cfg, i);
		if (err) {
			*ret_failed = i;
			return err;
		}
	}
	return 0;
}

static void free_guests(struct gen *g)
{
	uint32_t i;

	for (i = 0; i < gen_opt_vms(&g->opt); i++) {
		vsg_guest_free(g->guest[i]);
		g->guest[i] = NULL;
	}
}

/**
 * gen_setup_open() - make the guests; servers listen from here on
 * @g: generator with its options
 *
 * Return: 0 or -errno after an error line.
 */
int gen_setup_open(struct gen *g)
{
	struct vsg_cfg cfg;
	uint32_t failed;
	int err;

	fill_cfg(g, &cfg);
	g->active = g->opt.guests - g->opt.quiet;
	g->huge = !g->opt.no_huge;
	err = new_guests(g, &cfg, &failed);
	if (err == -ENOMEM && g->huge) {
		/* Not enough huge pages for all: then none, so that all guests are alike. */
		free_guests(g);
		g->huge = false;
		err = new_guests(g, &cfg, &failed);
	}
	if (err)
		gen_report_error("guest %u: '%s': %s", failed, cfg.path, strerror(-err));
	return err;
}

static void explain(const struct gen *g, uint32_t i, int err)
{
	const struct vsg_guest *guest = g->guest[i];

	if (err == -ENOTSUP && guest->queue_num < g->opt.pairs)
		gen_report_error("guest %u: the switch takes %u queue pairs, not %u", i,
				 (unsigned int)guest->queue_num, g->opt.pairs);
	else if (err == -ENOTSUP)
		gen_report_error("guest %u: the switch lacks features %#llx", i,
				 (unsigned long long)(guest->cfg.features_need & ~guest->offered));
	else if (err == -ETIMEDOUT)
		gen_report_error("guest %u: nobody at '%s' within %u s", i, guest->cfg.path,
				 g->opt.timeout_s);
	else
		gen_report_error("guest %u: '%s': %s", i, guest->cfg.path, strerror(-err));
}

/* The features that a TSO load needs and the switch did not grant. */
static int check_tso(const struct gen *g, uint64_t features)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} bits[] = {
		{VIRTIO_NET_F_CSUM, "VIRTIO_NET_F_CSUM"},
		{VIRTIO_NET_F_GUEST_CSUM, "VIRTIO_NET_F_GUEST_CSUM"},
		{VIRTIO_NET_F_HOST_TSO4, "VIRTIO_NET_F_HOST_TSO4"},
		{VIRTIO_NET_F_GUEST_TSO4, "VIRTIO_NET_F_GUEST_TSO4"},
	};
	static const char *const what[] = {
		[GEN_SIZE_FIXED] = "--take-tso: the switch does not offer",
		[GEN_SIZE_IMIX] = "--take-tso: the switch does not offer",
		[GEN_SIZE_TSO] = "--size tso: the switch does not offer",
		[GEN_SIZE_STREAM] = "--size stream: the switch does not offer",
	};
	char text[160] = "";
	json_t *missing;
	size_t i, at = 0;

	if (!gen_opt_tso(&g->opt) || (features & tso_need) == tso_need)
		return 0;
	missing = json_array();
	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (features & BIT(bits[i].bit))
			continue;
		json_array_append_new(missing, json_string(bits[i].name));
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %s", bits[i].name);
	}
	gen_report(json_pack("{s:s, s:s+, s:o}", "event", "error", "error", what[g->opt.size_kind],
			     text, "missing", missing));
	return -ENOTSUP;
}

static int start_guest(struct gen *g, uint32_t i)
{
	struct vsg_guest *guest = g->guest[i];
	uint64_t features;
	int err;

	if (g->opt.null) {
		guest->features = guest->cfg.features;
		err = vsg_guest_build(guest);
	} else {
		err = vsg_guest_start(guest, (int)g->opt.timeout_s * 1000);
		/* An answer shows that everything before it has been done. */
		if (!err)
			err = vsg_guest_query(guest, VSG_REQ_GET_FEATURES, &features);
	}
	if (err) {
		explain(g, i, err);
		return err;
	}
	return check_tso(g, guest->features);
}

static void set_shape(const struct gen *g, struct gen_lane *l)
{
	l->apart = l->guest->cfg.flags & VSG_F_TX_HDR_APART;
	l->indirect = l->guest->features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	l->shape = GEN_SHAPE_PLAIN;
	if (l->apart)
		l->shape = GEN_SHAPE_APART;
	if (l->guest->cfg.flags & VSG_F_TX_INDIRECT)
		l->shape = GEN_SHAPE_INDIRECT;
	if (g->opt.size_kind == GEN_SIZE_TSO)
		l->shape = GEN_SHAPE_PIECES;
}

static void make_guest_lane(const struct gen *g, struct gen_lane *l, struct vsg_guest *guest)
{
	uint32_t last = guest->n_rx_seg - 1;

	l->ops = &gen_guest_ops;
	l->guest = guest;
	l->pair = &guest->pair[l->queue];
	l->rx_data = guest->rx_off[last] + (last ? 0 : guest->hdr_len);
	set_shape(g, l);
}

static int make_lanes(struct gen *g)
{
	uint32_t i, station;
	struct gen_lane *l;

	g->n_lanes = g->opt.guests * g->opt.pairs;
	g->lane = calloc(g->n_lanes, sizeof(*g->lane));
	if (!g->lane)
		return -ENOMEM;
	for (i = 0; i < g->n_lanes; i++) {
		l = &g->lane[i];
		station = i / g->opt.pairs;
		l->number = (uint16_t)station;
		l->queue = (uint16_t)(i % g->opt.pairs);
		l->quiet = station >= g->active;
		if (station < gen_opt_vms(&g->opt))
			make_guest_lane(g, l, g->guest[station]);
	}
	return 0;
}

/* @told says whether an error has been reported. */
static int open_interfaces(struct gen *g, bool *told)
{
	uint32_t i, first = g->n_lanes - g->opt.n_ifs;
	int err = 0;

	for (i = 0; i < g->opt.n_ifs && !err; i++)
		err = gen_if_open(g, &g->lane[first + i], g->opt.interface[i]);
	*told = err != 0;
	return err;
}

static void settle_features(struct gen *g)
{
	/* Of a stream as much may come in one frame as fits. */
	uint32_t most = g->opt.size_kind == GEN_SIZE_STREAM ? GEN_MAX_TSO : longest(&g->opt);
	uint32_t i, bufs = 1;
	uint64_t features;

	if (!g->guest[0])
		return;
	features = g->guest[0]->features;
	g->hdr_len = g->guest[0]->hdr_len;
	for (i = 0; i < g->guest[0]->n_rx_seg; i++)
		g->rx_room += g->guest[0]->rx_seg[i];
	g->mergeable = (features & BIT(VIRTIO_NET_F_MRG_RXBUF)) != 0;
	if (g->mergeable)
		bufs = most / g->guest[0]->rx_seg[g->guest[0]->n_rx_seg - 1] + 1;
	g->rx_max = bufs * GEN_BURST < GEN_MAX_BUFS ? bufs * GEN_BURST : GEN_MAX_BUFS;
}

static int start_guests(struct gen *g)
{
	uint32_t i;
	int err;

	for (i = 0; i < gen_opt_vms(&g->opt); i++) {
		err = gen_stop ? -EINTR : start_guest(g, i);
		if (err)
			return err;
		if (g->guest[i]->features != g->guest[0]->features) {
			gen_report_error("guest %u was granted other features than guest 0", i);
			return -ENOTSUP;
		}
	}
	return 0;
}

/**
 * gen_setup_start() - bring all guests up and build what sends and receives
 * @g: generator
 *
 * Return: 0 or -errno after an error line.
 */
int gen_setup_start(struct gen *g)
{
	bool told = false;
	int err;

	fprintf(stderr, "vsgen: %u guests, %u interfaces, %s\n", gen_opt_vms(&g->opt), g->opt.n_ifs,
		g->opt.null ? "null back end" : "waiting for the switch");
	err = start_guests(g);
	if (err)
		return err;
	settle_features(g);
	g->trial = 1;
	err = gen_frame_init(g);
	if (!err)
		err = make_lanes(g);
	if (!err)
		err = open_interfaces(g, &told);
	if (!err)
		err = gen_flow_init(g);
	if (!err)
		err = gen_tx_init(g);
	if (!err && g->opt.null)
		err = gen_null_start(g);
	if (err && !told)
		gen_report_error("setting up: %s", strerror(-err));
	return err;
}

/**
 * gen_setup_reconnect() - hang up all guests and bring them up again
 * @g: generator
 *
 * Rings go on where they stood, as those of a guest do whose switch was restarted.
 *
 * Return: 0 or -errno after an error line.
 */
int gen_setup_reconnect(struct gen *g)
{
	uint64_t features;
	uint32_t i;
	int err;

	for (i = 0; i < gen_opt_vms(&g->opt); i++)
		vsg_guest_hangup(g->guest[i]);
	for (i = 0; i < gen_opt_vms(&g->opt); i++) {
		err = vsg_guest_start(g->guest[i], (int)g->opt.timeout_s * 1000);
		if (!err)
			err = vsg_guest_query(g->guest[i], VSG_REQ_GET_FEATURES, &features);
		if (err) {
			explain(g, i, err);
			return err;
		}
	}
	return 0;
}

/**
 * gen_setup_revive() - bring guests up again whose switch went away and has come back
 * @g: generator under load
 *
 * Does not wait for a switch: who has none yet gets another chance with the next call. A start
 * that breaks off counts as none.
 */
void gen_setup_revive(struct gen *g)
{
	uint32_t i;

	for (i = 0; i < gen_opt_vms(&g->opt); i++) {
		if (vsg_chan_is_alive(&g->guest[i]->chan) && g->guest[i]->started)
			continue;
		vsg_guest_hangup(g->guest[i]);
		if (vsg_guest_start(g->guest[i], 0) == 0)
			g->revived++;
		else
			vsg_guest_hangup(g->guest[i]);
	}
}

/**
 * gen_setup_close() - end everything
 * @g: generator
 */
void gen_setup_close(struct gen *g)
{
	uint32_t i;

	gen_probe_stop(g);
	gen_null_stop(g);
	for (i = 0; g->lane && i < g->n_lanes; i++)
		gen_if_close(&g->lane[i]);
	free_guests(g);
	free(g->lane);
	free(g->flow);
	free(g->heads);
	free(g->pattern);
}
