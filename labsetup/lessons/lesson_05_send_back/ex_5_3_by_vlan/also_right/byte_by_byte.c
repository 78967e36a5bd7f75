BPF_DEVMAP(ports, 4096);

int other(struct xdp_md *ctx)
{
	unsigned char *byte = (void *)(long)ctx->data;

	if ((void *)(byte + 18) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (byte[12] != 0x81 || byte[13] != 0)
		return XDP_PASS;
	return ports.redirect_map((byte[14] & 15) << 8 | byte[15], XDP_PASS);
}
