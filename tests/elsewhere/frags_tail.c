/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As programs for large frames: SEC("xdp.frags"), and bpf_xdp_load_bytes() across buffers (5.18).
 * A frame that ends in the byte of `stop` is dropped, at any length; the length is kept. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u8 stop = 0xff;

__u64 length;

SEC("xdp.frags")
int xdp_last_byte(struct xdp_md *ctx)
{
	__u8 last;

	length = bpf_xdp_get_buff_len(ctx);
	if (bpf_xdp_load_bytes(ctx, length - 1, &last, sizeof(last)) < 0)
		return XDP_ABORTED;
	return last == stop ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
