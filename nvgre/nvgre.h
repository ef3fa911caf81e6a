/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tenant networks over NVGRE (RFC 7637). This header is all that other folders see of nvgre;
 * core/nvgre.h has what workers know of tenants.
 */
#ifndef VS_NVGRE_NVGRE_H
#define VS_NVGRE_NVGRE_H

#include "dataplane/core/ctx.h"

/** vs_nvgre_decap() - stage 3, see decap.c */
void vs_nvgre_decap(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_nvgre_route() - stage 5, see route.c */
void vs_nvgre_route(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_nvgre_encap() - stage 7, see encap.c */
void vs_nvgre_encap(struct vs_ctx *ctx, struct vs_burst *burst);

/* ---- outer.c: headers of tunnel packets */

/**
 * vs_outer_build() - the way to @remote from one of our own provider addresses
 * @peer:	gets @outer, @outer_len, @l3, @is4, @ip, @local, @uplink, @vid and @fid; the rest
 *		of it is the caller's
 * @tag:	VLAN that frames to it are tagged with; 0: none, for they are on the uplink's own
 *
 * No worker may see @peer yet. Return: 0; -EINVAL, and @peer is as it was: the addresses are of
 * different kinds, or @tag is no VLAN.
 */
int vs_outer_build(struct vs_peer *peer, const struct vs_pa *pa, const struct vs_ip *remote,
		   uint16_t tag);

/* ---- tunnel.c: the port */

/** What a tunnel port can do for a worker; its device is a struct vs_tunnel. */
extern const struct vs_port_ops vs_tunnel_ops;

struct vs_tunnel;

enum {
	/** Frames that wait in a tunnel port for its worker. */
	VS_TUNNEL_SLOTS = 64,
};

/**
 * vs_tunnel_new() - the device of a tunnel port
 * @id:		of the port
 *
 * Return: 0, -ENOMEM, or -errno of the bell. Freed by vs_tunnel_free(), after the workers have
 * left the last snapshot that names it.
 */
int vs_tunnel_new(uint16_t id, struct vs_tunnel **ret_tunnel);

/** vs_tunnel_free() - NULL is fine. */
void vs_tunnel_free(struct vs_tunnel *tunnel);

/** vs_tunnel_set_rights() - of frames that came through it: bits of enum vs_offload (MERGE). */
void vs_tunnel_set_rights(struct vs_tunnel *tunnel, unsigned int rights);

/**
 * vs_tunnel_inject() - control: @bytes are an outer frame that is to leave by the uplink as it is
 * @len:	RTE_ETHER_HDR_LEN to VS_PUNT_BYTES
 *
 * Return: 0; -ENOBUFS, and it is lost: its worker is too far behind; -EMSGSIZE.
 */
int vs_tunnel_inject(struct vs_tunnel *tunnel, const uint8_t *bytes, uint32_t len);

#endif
